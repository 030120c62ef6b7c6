import type { TrainingMember } from '../activities/deps.ts';
import type { EpochEvent, FitSummary } from '../core/models/model.ts';

/**
 * Messages between a worker and its training child: u32 header bytes, u32 payload bytes (both
 * little-endian), header JSON, payload. To the child on its stdin, from the child on descriptor 3, so
 * that nothing a library prints can get in between.
 */
export interface Frame<T> {
  readonly message: T;
  readonly payload: Uint8Array;
}

export interface Position {
  readonly epoch: number;
  readonly batch: number;
}

export type ToChild =
  | {
      readonly type: 'job';
      readonly family: string;
      readonly params: unknown;
      readonly seed: number;
      readonly multiplyByClose: boolean;
      /** Of a refit: the summary of the fit that is repeated. */
      readonly twin?: FitSummary | undefined;
      /** The payload: the prepared data, the checkpoint, the bundle to go on from (0 bytes: none), those of members. */
      readonly preparedBytes: number;
      readonly checkpointBytes: number;
      readonly parentBytes: number;
      /** Registered versions that the hyperparameters name, in that order. */
      readonly members: readonly (Omit<TrainingMember, 'bundle'> & { readonly bytes: number })[];
    }
  /** The checkpoint of that number is durable. */
  | { readonly type: 'durable'; readonly id: number };

export type FromChild =
  /** Nothing new, but the process still turns its event loop. */
  | { readonly type: 'alive' }
  | { readonly type: 'batch'; readonly at: Position & { readonly batches: number } }
  | { readonly type: 'epoch'; readonly event: EpochEvent }
  /** Payload: the checkpoint. */
  | { readonly type: 'checkpoint'; readonly id: number; readonly at: Position }
  /** Payload: the encoded fit bundle. The last message. */
  | { readonly type: 'done' }
  /** The last message. */
  | {
      readonly type: 'failed';
      readonly code: string;
      readonly message: string;
      readonly permanent: boolean;
      readonly details: Readonly<Record<string, unknown>>;
    };

const PREFIX_BYTES = 8;
/** Headers carry epochs and parameters; payloads prepared data. Above these: not our peer. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const MAX_PAYLOAD_BYTES = 2 ** 31 - 1;
const NOTHING = new Uint8Array(0);

/** The pieces of a frame, to be written one after the other; the payload is not copied. */
export function encodeFrame<T>(message: T, payload: Uint8Array = NOTHING): Uint8Array[] {
  const header = new TextEncoder().encode(JSON.stringify(message));
  const prefix = new Uint8Array(PREFIX_BYTES);
  const view = new DataView(prefix.buffer);
  view.setUint32(0, header.length, true);
  view.setUint32(4, payload.length, true);
  return payload.length > 0 ? [prefix, header, payload] : [prefix, header];
}

/** Cuts a byte stream into frames. */
export class FrameReader<T> {
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #needed = PREFIX_BYTES;

  /** Frames that these bytes complete, in order. Throws on lengths no peer of ours sends. */
  push(chunk: Uint8Array): Frame<T>[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    const frames: Frame<T>[] = [];
    while (this.#buffered >= this.#needed) {
      const bytes = this.#joined();
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const headerEnd = PREFIX_BYTES + view.getUint32(0, true);
      const payloadBytes = view.getUint32(4, true);
      if (headerEnd > MAX_HEADER_BYTES || payloadBytes > MAX_PAYLOAD_BYTES) {
        throw new RangeError('training frame: length out of range');
      }
      const end = headerEnd + payloadBytes;
      if (bytes.length < end) {
        this.#needed = end;
        break;
      }
      const header = new TextDecoder().decode(bytes.subarray(PREFIX_BYTES, headerEnd));
      frames.push({
        message: JSON.parse(header) as T,
        payload: new Uint8Array(bytes.subarray(headerEnd, end)),
      });
      this.#chunks = [bytes.subarray(end)];
      this.#buffered -= end;
      this.#needed = PREFIX_BYTES;
    }
    return frames;
  }

  #joined(): Uint8Array {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? NOTHING;
  }
}
