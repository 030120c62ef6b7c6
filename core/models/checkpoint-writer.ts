import type { FitContext } from './model.ts';

/** A long epoch is saved inside, too: a crash costs at most this much work and one step. */
const INTERVAL_MS = 10_000;

/** Hands checkpoints of a fit over while it goes on; one at a time, so that they land in order. */
export class CheckpointWriter {
  readonly #context: FitContext;
  #handedOverMs: number;
  #underWay: Promise<void> = Promise.resolve();

  constructor(context: FitContext) {
    this.#context = context;
    this.#handedOverMs = context.now();
  }

  /** Is as much time gone since the last one as a crash may cost? */
  isDue(): boolean {
    return this.#context.now() - this.#handedOverMs >= INTERVAL_MS;
  }

  /** Waits for the one before, not for this one. `encode` is given the time (ms, of the context's clock). */
  async handOver(
    at: Parameters<FitContext['saveCheckpoint']>[1],
    encode: (nowMs: number) => Uint8Array,
  ): Promise<void> {
    await this.#underWay;
    const nowMs = this.#context.now();
    const bytes = encode(nowMs);
    this.#handedOverMs = nowMs;
    this.#underWay = this.#context.saveCheckpoint(bytes, at);
    // A refusal is thrown by the next `await`; until then it must not end the process.
    this.#underWay.catch(() => {});
  }

  /** All have landed; throws the refusal of the last one. */
  landed(): Promise<void> {
    return this.#underWay;
  }
}
