import {
  blockLength,
  bootstrapInterval,
  drawBlocks,
  type Interval,
} from '../../metrics/bootstrap.ts';
import { MIN_RETURNS, momentsOf, sharpePerBar } from '../metrics/moments.ts';
import type { BacktestResult } from '../result.ts';
import { dailyReturns, daysOf } from './daily.ts';
import type { Series } from './downsample.ts';

/** An equity curve by instant, ms UTC. */
export interface EquityCurve {
  readonly time: Series;
  readonly equity: Series;
}

const SEED = 1;

/**
 * How much higher the daily Sharpe ratio of one curve is than that of another over the days that both have, annualised,
 * with its 95 % interval: circular block bootstrap of days, the same days drawn for both, so that what moves both
 * cancels out. Blocks, seed and formula as for the interval of a single one.
 *
 * null values below 20 common days, and where one of the two has no spread.
 */
export function sharpeDifference(
  one: EquityCurve,
  other: EquityCurve,
  { daysPerYear, riskFreePerYear }: Pick<BacktestResult, 'daysPerYear' | 'riskFreePerYear'>,
): Interval {
  const [a, b] = commonReturns(one, other);
  const n = a.length;
  const free = riskFreePerYear / daysPerYear;
  const year = Math.sqrt(daysPerYear);
  const point = (sharpePerBar(momentsOf(a), free) - sharpePerBar(momentsOf(b), free)) * year;
  if (n < MIN_RETURNS || !Number.isFinite(point)) {
    return { value: null, low: null, high: null, tooFewBlocks: true };
  }
  const ratioOf = (mean: number, square: number): number =>
    (mean - free) / Math.sqrt(((square - mean * mean) * n) / (n - 1));
  const interval = bootstrapInterval(
    [a, a.map((r) => r * r), b, b.map((r) => r * r)],
    ([mean = NaN, square = NaN, otherMean = NaN, otherSquare = NaN]) =>
      (ratioOf(mean, square) - ratioOf(otherMean, otherSquare)) * year,
    { count: n, group: Int32Array.from(a.keys()) },
    drawBlocks({ n, block: blockLength(n, 1, 1), seed: SEED }),
  );
  return { ...interval, value: point };
}

/** Returns from each day that both curves have to the next one. */
export function commonReturns(one: EquityCurve, other: EquityCurve): [Float64Array, Float64Array] {
  const [a, b] = [daysOf(one.time), daysOf(other.time)];
  const inA = new Set(a.day);
  const inB = new Set(b.day);
  const rowsOf = (of: typeof a, days: ReadonlySet<number>): number[] =>
    of.rows.filter((_, i) => days.has(of.day[i]!));
  return [
    dailyReturns({ rows: rowsOf(a, inB) }, one.equity),
    dailyReturns({ rows: rowsOf(b, inA) }, other.equity),
  ];
}
