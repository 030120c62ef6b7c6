import {
  blockLength,
  bootstrapInterval,
  drawBlocks,
  intervalOf,
  type BlockDraws,
  type Interval,
} from '../../metrics/bootstrap.ts';
import { MIN_RETURNS } from '../metrics/moments.ts';
import { commonReturns, sharpeDifference, type EquityCurve } from './sharpe-difference.ts';
import type { BacktestResult } from '../result.ts';

/** How much more one curve has than another over the days that both have. */
export interface CurveDifference {
  /** Growth a year, as a fraction. */
  readonly annualReturn: Interval;
  readonly sharpe: Interval;
  /** Of daily closes; above 0: the first one fell less far. */
  readonly maxDrawdown: Interval;
}

const SEED = 1;
/** Paths of the drawdown, which is no function of means: each is walked. */
const PATHS = 1_000;

/**
 * Differences of two equity curves with their 95 % intervals by circular block bootstrap of common days, the same days drawn
 * for both, so that what moves both cancels out.
 * Formula: annual return = exp(mean of log(1 + r) x days a year) - 1; Sharpe ratio as `sharpeDifference`; drawdown = the
 * least of equity over its highest so far, less 1, along the drawn days in the order of their blocks.
 * null values below 20 common days, and where equity was gone.
 */
export function curveDifference(
  one: EquityCurve,
  other: EquityCurve,
  year: Pick<BacktestResult, 'daysPerYear' | 'riskFreePerYear'>,
): CurveDifference {
  const sharpe = sharpeDifference(one, other, year);
  const [a, b] = commonReturns(one, other);
  const n = a.length;
  if (n < MIN_RETURNS) {
    const none = { value: null, low: null, high: null, tooFewBlocks: true };
    return { annualReturn: none, sharpe, maxDrawdown: none };
  }
  const draws = drawBlocks({ n, block: blockLength(n, 1, 1), seed: SEED });
  const growth = (mean: number): number => Math.exp(mean * year.daysPerYear) - 1;
  const annualReturn = bootstrapInterval(
    [a.map(Math.log1p), b.map(Math.log1p)],
    ([mean = NaN, otherMean = NaN]) => growth(mean) - growth(otherMean),
    { count: n, group: Int32Array.from(a.keys()) },
    draws,
  );
  return { annualReturn, sharpe, maxDrawdown: drawdownDifference(a, b, draws) };
}

function drawdownDifference(a: Float64Array, b: Float64Array, draws: BlockDraws): Interval {
  const days = Int32Array.from(a.keys());
  const difference = (order: Int32Array): number => lowest(a, order) - lowest(b, order);
  const resampled = new Float64Array(Math.min(PATHS, draws.resamples));
  for (let r = 0; r < resampled.length; r++) resampled[r] = difference(drawn(draws, r));
  return intervalOf(difference(days), resampled, draws.tooFewBlocks);
}

/** The days of one resample in the order of its blocks, the last one cut. */
function drawn({ n, block, starts }: BlockDraws, r: number): Int32Array {
  const perResample = Math.ceil(n / block);
  return Int32Array.from({ length: n }, (_, i) => {
    const start = starts[r * perResample + Math.floor(i / block)]!;
    return (start + (i % block)) % n;
  });
}

/** Maximum drawdown (0 or negative) of returns in an order. */
function lowest(returns: Float64Array, order: Int32Array): number {
  let equity = 1;
  let highest = 1;
  let least = 0;
  for (const day of order) {
    equity *= 1 + returns[day]!;
    highest = Math.max(highest, equity);
    least = Math.min(least, equity / highest - 1);
  }
  return least;
}
