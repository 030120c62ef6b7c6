import type { FeatureStream } from './stream.ts';

/** Rows that are added before the older ones are left behind. */
const LATER_ROWS = 64;

/**
 * The last rows of a stream, row-major, from one window to the next: where one row is new, that one
 * is gathered from its columns, and the others are where they were.
 */
export class StreamTail {
  readonly #stream: FeatureStream;
  readonly #width: number;
  /** Of a window. */
  readonly rows: number;
  readonly #values: Float64Array;
  /** Rows in it, of which the last is the stream's row `#end - 1`. */
  #held = 0;
  #end = 0;

  /** Of a stream of `width` columns that is not cleared from now on; windows of `rows` rows. */
  constructor(stream: FeatureStream, width: number, rows: number) {
    this.#stream = stream;
    this.#width = width;
    this.rows = rows;
    this.#values = new Float64Array((rows + LATER_ROWS) * width);
  }

  /** A copy of the window that ends with the stream's last row. */
  window(): Float64Array {
    const { rows } = this;
    const width = this.#width;
    const added = Math.min(rows, this.#stream.rows - this.#end);
    if (this.#held + added > rows + LATER_ROWS) {
      const kept = rows - added;
      this.#values.copyWithin(0, (this.#held - kept) * width, this.#held * width);
      this.#held = kept;
    }
    this.#stream.write(added, this.#values, this.#held * width);
    this.#held += added;
    this.#end = this.#stream.rows;
    return this.#values.slice((this.#held - rows) * width, this.#held * width);
  }
}
