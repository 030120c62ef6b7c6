import type { Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-node';
import type { Samples } from '../model.ts';
import type { Tf } from './tensorflow.impl.ts';

/**
 * Windows a prediction takes at a time: bounds memory, 64 x 60 x 152 floats are 2 MB, kernels keep
 * some times that.
 */
const SLICE = 64;

/** The windows of one part over a shared matrix of scaled rows; gathered batch by batch. */
export class WindowSet {
  readonly count: number;
  readonly #tf: Tf;
  readonly #rows: Tensor2D;
  /** Rows of a window. */
  readonly lookback: number;
  readonly #endRow: Int32Array;
  readonly #scaled: Float64Array;
  readonly #horizons: number;

  /**
   * `rows` [rows, features] belongs to the caller; `labels` row-major [windows x horizons], scaled.
   */
  constructor(
    tf: Tf,
    rows: Tensor2D,
    windows: {
      readonly lookback: number;
      readonly endRow: Int32Array;
      readonly labels: Float64Array;
      readonly horizons: number;
    },
  ) {
    this.#tf = tf;
    this.#rows = rows;
    this.lookback = windows.lookback;
    this.#endRow = windows.endRow;
    this.#scaled = windows.labels;
    this.#horizons = windows.horizons;
    this.count = windows.endRow.length;
  }

  /** The matrix that the windows lie in; it belongs to the caller. */
  get rows(): Tensor2D {
    return this.#rows;
  }

  /** Rows of these windows, int32 [lookback x indices], time-major. */
  places(indices: Int32Array): Tensor1D {
    const at = new Int32Array(this.lookback * indices.length);
    for (let t = 0, to = 0; t < this.lookback; t++) {
      for (const index of indices) at[to++] = this.#endRow[index]! - this.lookback + 1 + t;
    }
    return this.#tf.tensor1d(at, 'int32');
  }

  /** Time-major inputs [lookback, B, features] of windows whose places in `rows` these are. */
  gather(rows: Tensor2D, places: Tensor1D): Tensor3D {
    const shape: [number, number, number] = [
      this.lookback,
      places.size / this.lookback,
      rows.shape[1],
    ];
    return this.#tf.reshape(this.#tf.gather(rows, places), shape);
  }

  /** Time-major inputs of these windows: [lookback, indices, features]. */
  inputs(indices: Int32Array): Tensor3D {
    return this.gather(this.#rows, this.places(indices));
  }

  /** Labels [indices, horizons] of these windows. */
  labels(indices: Int32Array): Tensor2D {
    const labels = new Float32Array(indices.length * this.#horizons);
    indices.forEach((index, i) => {
      for (let k = 0; k < this.#horizons; k++)
        labels[i * this.#horizons + k] = this.label(index, k);
    });
    return this.#tf.tensor2d(labels, [indices.length, this.#horizons]);
  }

  /** Scaled label of a window at the k-th horizon. */
  label(index: number, k: number): number {
    return this.#scaled[index * this.#horizons + k]!;
  }

  /** All windows in order, cut into slices. */
  *slices(): Generator<Int32Array> {
    for (let from = 0; from < this.count; from += SLICE) {
      const length = Math.min(SLICE, this.count - from);
      yield Int32Array.from({ length }, (_, i) => from + i);
    }
  }
}

/** The windows of these samples over `rows`, which belongs to the caller; `labels` scaled. */
export function windowsOver(
  tf: Tf,
  rows: Tensor2D,
  { lookback, endRow, horizons }: Samples,
  labels: Float64Array,
): WindowSet {
  return new WindowSet(tf, rows, { lookback, endRow, labels, horizons: horizons.length });
}
