/** What the report says by day: returns from UTC day to UTC day, and ratios over windows of them. */
import { momentsOf, sharpePerBar } from '../metrics/moments.ts';
import { dayOfClose, returnsOf } from '../returns.ts';
import type { Series } from './downsample.ts';

/** Days of the rolling Sharpe ratio: a year of sessions. */
export const ROLLING_DAYS = 252;

/** The last row of each UTC day. */
export interface Days {
  readonly rows: readonly number[];
  /** Since 1970. */
  readonly day: readonly number[];
  /** Instant of the row, ms UTC. */
  readonly time: Float64Array;
}

export function daysOf(time: Series): Days {
  const rows: number[] = [];
  const day: number[] = [];
  for (let row = 0; row < time.length; row++) {
    const of = dayOfClose(time[row]!);
    if (of === day.at(-1)) rows.pop();
    else day.push(of);
    rows.push(row);
  }
  return { rows, day, time: Float64Array.from(rows, (row) => time[row]!) };
}

/** Returns from each day to the next; one less than days. */
export const dailyReturns = ({ rows }: Pick<Days, 'rows'>, equity: Series): Float64Array =>
  returnsOf(Float64Array.from(rows, (row) => equity[row]!));

/**
 * Sharpe ratio of the last `ROLLING_DAYS` daily returns at the end of each, annualised; NaN before there are as many,
 * and where they have no spread.
 */
export function rollingSharpe(
  returns: Float64Array,
  daysPerYear: number,
  riskFreePerYear: number,
): Float64Array {
  const out = new Float64Array(returns.length).fill(NaN);
  for (let t = ROLLING_DAYS - 1; t < returns.length; t++) {
    const window = returns.subarray(t - ROLLING_DAYS + 1, t + 1);
    const ratio = sharpePerBar(momentsOf(window), riskFreePerYear / daysPerYear);
    out[t] = Number.isFinite(ratio) ? ratio * Math.sqrt(daysPerYear) : NaN;
  }
  return out;
}
