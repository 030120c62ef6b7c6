/** The windows of a column beside their references, each in order, without sorting any of them. */
import { sortTagged, type Tagged } from '../sort-floats.ts';
import { sharesOf, type Pooled } from './pooled.ts';
import { REFERENCE_WINDOWS, type WindowLayout } from './windows.ts';

/** A window and its reference: finite values, ascending. Views that the next one asked for overwrites. */
export interface Samples {
  readonly reference: Float64Array;
  readonly window: Float64Array;
  readonly pooled: Pooled;
}

const WORD = 32;

/**
 * A column is sorted once, and of each of its blocks it is kept, a bit a place, where its values stand in that order. The
 * places of a window and its reference are the bits of five blocks, read from the lowest on: no values are compared, which
 * way nobody can guess. A column costs O(rows) for the sort and a step a value of each window.
 */
export class SlidingSamples {
  readonly #layout: WindowLayout;
  readonly #values: Float64Array;
  readonly #blocks: Uint8Array;
  readonly #spare: Tagged;
  /** [blocks x words] */
  readonly #places: Int32Array;
  readonly #words: number;
  /** Finite values of each block. */
  readonly #counts: Int32Array;
  readonly #pooled: Float64Array;
  readonly #apart: Float64Array;
  readonly #reference: Float64Array;
  readonly #window: Float64Array;
  #referenceShares = sharesOf(0);
  #windowShares = sharesOf(0);

  constructor(layout: WindowLayout) {
    const { window, blocks } = layout;
    const rows = blocks * window;
    this.#layout = layout;
    this.#values = new Float64Array(rows);
    this.#blocks = new Uint8Array(rows);
    this.#spare = { values: new Float64Array(rows), tags: new Uint8Array(rows) };
    this.#words = Math.ceil(rows / WORD);
    this.#places = new Int32Array(blocks * this.#words);
    this.#counts = new Int32Array(blocks);
    // One more than there can be of either: a value is written to both, and counted where it belongs.
    const room = (REFERENCE_WINDOWS + 1) * window + 1;
    this.#pooled = new Float64Array(room);
    this.#apart = new Float64Array(room);
    this.#reference = new Float64Array(room);
    this.#window = new Float64Array(room);
  }

  /** Takes in a column of the layout's blocks; gives how many finite values the newest of them has. */
  take(rows: Float64Array): number {
    const { window, blocks } = this.#layout;
    let count = 0;
    for (let block = 0; block < blocks; block++) {
      const before = count;
      for (let row = block * window; row < (block + 1) * window; row++) {
        const value = rows[row]!;
        if (!Number.isFinite(value)) continue;
        this.#values[count] = value;
        this.#blocks[count++] = block;
      }
      this.#counts[block] = count - before;
    }
    sortTagged(this.#values.subarray(0, count), this.#blocks.subarray(0, count), this.#spare);
    this.#place(count);
    return this.#counts[blocks - 1]!;
  }

  #place(count: number): void {
    const places = this.#places.fill(0);
    const blocks = this.#blocks;
    const words = this.#words;
    for (let at = 0; at < count; at++) {
      const word = blocks[at]! * words + (at >>> 5);
      places[word] = places[word]! | (1 << (at & 31));
    }
  }

  /** Of window `w` of the column that was taken in. */
  of(w: number): Samples {
    const newest = w + REFERENCE_WINDOWS;
    let n = 0;
    for (let block = w; block < newest; block++) n += this.#counts[block]!;
    const m = this.#counts[newest]!;
    if (this.#referenceShares.length !== n + 1) this.#referenceShares = sharesOf(n);
    if (this.#windowShares.length !== m + 1) this.#windowShares = sharesOf(m);
    this.#read(w * this.#words);
    return {
      reference: this.#reference.subarray(0, n),
      window: this.#window.subarray(0, m),
      pooled: { values: this.#pooled.subarray(0, n + m), apart: this.#apart.subarray(0, n + m) },
    };
  }

  /** Reads the values whose places are the bits from `oldest` on. */
  #read(oldest: number): void {
    const places = this.#places;
    const words = this.#words;
    const values = this.#values;
    const f = this.#referenceShares;
    const g = this.#windowShares;
    const pooled = this.#pooled;
    const apart = this.#apart;
    const reference = this.#reference;
    const window = this.#window;
    let i = 0;
    let j = 0;
    for (let word = 0; word < words; word++) {
      let at = oldest + word;
      let left = places[at]!;
      for (let block = 1; block < REFERENCE_WINDOWS; block++) left |= places[(at += words)]!;
      const fresh = places[at + words]!;
      left |= fresh;
      while (left !== 0) {
        const bit = 31 - Math.clz32(left & -left);
        left &= left - 1;
        const value = values[word * WORD + bit]!;
        pooled[i + j] = value;
        apart[i + j] = Math.abs(f[i]! - g[j]!);
        reference[i] = value;
        window[j] = value;
        const isFresh = (fresh >>> bit) & 1;
        j = (j + isFresh) | 0;
        i = (i + 1 - isFresh) | 0;
      }
    }
  }
}
