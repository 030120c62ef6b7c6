/** Windows of equal length, cut backwards from the newest row, and the reference before each of them. */
import { RatchetError } from '../errors.ts';
import type { FeatureMatrix } from '../features/matrix.ts';

/** The reference of a window: this many windows right before it. */
export const REFERENCE_WINDOWS = 4;
/** With fewer earlier windows no rank reaches the top 5 %: 1 / 25 is .04. */
export const MIN_WINDOWS = 24;
/** Older windows tell little about what is usual now, and cost time. */
export const MAX_WINDOWS = 40;
/** A distance between fewer rows is mostly noise. */
export const MIN_WINDOW_ROWS = 20;

/** Rows of columns in time order: `values[row * names.length + column]`, NaN where missing. */
export interface DriftColumns {
  readonly names: readonly string[];
  readonly rows: number;
  /** Open time of each row's bar, ms UTC, rising. */
  readonly openTime: Float64Array;
  readonly values: Float64Array;
}

/** The rows of a feature matrix at which every column is warm; views, no copies. */
export function columnsFrom({
  names,
  openTime,
  values,
  firstWarmRow,
}: FeatureMatrix): DriftColumns {
  return {
    names,
    rows: openTime.length - firstWarmRow,
    openTime: openTime.subarray(firstWarmRow),
    values: values.subarray(firstWarmRow * names.length),
  };
}

/**
 * Rows of a window for a history of `rows` rows: a month of bars where enough earlier windows and their references
 * exist, else what leaves 24 of them; null where that is fewer than 20 rows (then there is nothing to compare).
 */
export function autoWindow(rows: number, barsPerMonth: number): number | null {
  const window = Math.min(barsPerMonth, Math.floor(rows / (REFERENCE_WINDOWS + MIN_WINDOWS + 1)));
  return window >= MIN_WINDOW_ROWS ? window : null;
}

export interface WindowLayout {
  /** Rows of a window. */
  readonly window: number;
  /** Row at which the first block begins; the rows before it are not read. */
  readonly first: number;
  /** Consecutive blocks of `window` rows; the last one is the newest window. */
  readonly blocks: number;
  /** Windows that have a reference, the newest one included; 0: not even the newest. */
  readonly windows: number;
}

/** Throws `drift.window` on a window that is no whole number of 2 rows or more. */
export function layoutOf(rows: number, window: number): WindowLayout {
  if (!Number.isInteger(window) || window < 2) {
    throw new RatchetError('drift.window', `a drift window needs 2 rows or more, not ${window}`);
  }
  const blocks = Math.min(Math.floor(rows / window), REFERENCE_WINDOWS + MAX_WINDOWS + 1);
  return {
    window,
    first: rows - blocks * window,
    blocks,
    windows: Math.max(0, blocks - REFERENCE_WINDOWS),
  };
}
