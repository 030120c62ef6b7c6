/** One input tensor, row-major. */
export interface SessionInput {
  readonly data: Float64Array | Float32Array | BigInt64Array;
  readonly dims: readonly number[];
}
export type SessionInputs = Readonly<Record<string, SessionInput>>;

export interface SessionOptions {
  /** Threads inside one operator; 1 unless measured otherwise. */
  readonly threads?: number;
  /**
   * Does it keep the memory of a run for the next one? Default: true. Where a run takes much and comes seldom, as with a
   * hundred samples at once, memory that is given back costs no measurable time.
   */
  readonly keepsMemory?: boolean;
}

/** An open ONNX model of ours: inputs by name, one output `y` (float64, row-major). */
export interface OnnxSession {
  readonly inputNames: readonly string[];
  run(inputs: SessionInputs): Promise<Float64Array>;
  /** Frees native memory; the session must not be used afterwards. */
  release(): Promise<void>;
}

/** What turns bytes into a session: `openSession`, or a test's own. */
export type SessionOpener = (bytes: Uint8Array, options?: SessionOptions) => Promise<OnnxSession>;
