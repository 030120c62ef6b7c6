import type { Timeframe } from '../bars/bars.ts';

/**
 * When an instrument trades. Positions count bars of a timeframe: `indexOf` is the number of bars that
 * the calendar has from its first session up to `openTime`, so the same instant has the same index
 * whatever history is loaded. Anchors of recursive features lie where `indexOf % 256 === 0`.
 */
export interface Calendar {
  readonly name: string;
  readonly alwaysOpen: boolean;
  /** Is there a bar that opens at `openTime` (ms UTC)? */
  isOpen(openTime: number, timeframe: Timeframe): boolean;
  /** Position of the bar that opens at `openTime`; of the last bar before it where none opens then. */
  indexOf(openTime: number, timeframe: Timeframe): number;
  /** Open time of the bar at a position; beyond the table, weekdays continue. */
  openTimeAt(index: number, timeframe: Timeframe): number;
  /** Open time of the bar `bars` after (negative: before) the one at `openTime`. */
  addBars(openTime: number, bars: number, timeframe: Timeframe): number;
  /** Open times of all bars that should exist in [from, to]. */
  between(from: number, to: number, timeframe: Timeframe): Float64Array;
  /** When the bar that opens at `openTime` is complete (ms UTC). */
  closeTime(openTime: number, timeframe: Timeframe): number;
  /** Bars a year, for annualising: 252 daily, 24x7 hourly 8760, 24x7 daily 365. */
  barsPerYear(timeframe: Timeframe): number;
}
