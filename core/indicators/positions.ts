import type { Timeframe } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';

/** Distance of the anchors at which recursive indicators start, in bars of the calendar. */
export const ANCHOR_BARS = 256;

/** Where bars lie in their calendar: what makes values independent of where a history starts. */
export interface BarPositions {
  readonly rows: number;
  /** `calendar.indexOf` of each bar. */
  readonly index: Int32Array;
  /** Rows > 0 that are the first at or after a multiple of `ANCHOR_BARS`; row 0 anchors besides. */
  readonly anchors: Int32Array;
  /** Number of the block of `size` calendar bars that each row lies in. */
  blocks(size: number): Int32Array;
  /** Memory for one loop at a time, so that a build does not allocate two arrays per statistic. */
  readonly scratch: readonly [Float64Array, Float64Array];
}

/** Positions of bars given by open time (ms UTC, increasing; else `indicators.order`). */
export function barPositions(
  openTime: Float64Array,
  calendar: Calendar,
  timeframe: Timeframe,
): BarPositions {
  const rows = openTime.length;
  const index = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    if (row > 0 && !(openTime[row]! > openTime[row - 1]!)) {
      throw new RatchetError(
        'indicators.order',
        `bar ${row} does not open after the one before it`,
      );
    }
    index[row] = calendar.indexOf(openTime[row]!, timeframe);
  }
  const cached = new Map<number, Int32Array>();
  const blocks = (size: number): Int32Array => {
    let found = cached.get(size);
    if (found === undefined) {
      found = new Int32Array(rows);
      for (let row = 0; row < rows; row++) found[row] = Math.floor(index[row]! / size);
      cached.set(size, found);
    }
    return found;
  };
  const anchorBlock = blocks(ANCHOR_BARS);
  const anchors: number[] = [];
  for (let row = 1; row < rows; row++) {
    if (anchorBlock[row] !== anchorBlock[row - 1]) anchors.push(row);
  }
  const scratch = [new Float64Array(rows), new Float64Array(rows)] as const;
  return { rows, index, anchors: Int32Array.from(anchors), blocks, scratch };
}

/** Row of the last anchor at or before `row - memory`; row 0 (the first bar) where there is none. */
export function anchorRow(positions: BarPositions, row: number, memory: number): number {
  const latest = row - memory;
  let anchor = 0;
  for (const at of positions.anchors) {
    if (at > latest) break;
    anchor = at;
  }
  return anchor;
}

/**
 * Calls `run(start, from, to)` so that each row in `from`..`to - 1` is computed by a recursion that
 * begins at `start`, the anchor that belongs to it. Rows `start`..`from - 1` only warm it up.
 * Together the runs cost about `1 + memory / ANCHOR_BARS` passes.
 */
export function eachRun(
  positions: BarPositions,
  memory: number,
  run: (start: number, from: number, to: number) => void,
): void {
  let start = 0;
  let from = 0;
  for (const anchor of positions.anchors) {
    const to = anchor + memory;
    if (to >= positions.rows) break;
    run(start, from, to);
    start = anchor;
    from = to;
  }
  run(start, from, positions.rows);
}
