import type { Timeframe } from './bars.ts';

/** What bars need to know of a calendar (see core/calendar, whose calendars satisfy it). */
export interface Sessions {
  /** Open times of all bars that should exist in [from, to]. */
  between(from: number, to: number, timeframe: Timeframe): Float64Array;
  /** When the bar that opens at `openTime` is complete (ms UTC). */
  closeTime(openTime: number, timeframe: Timeframe): number;
}
