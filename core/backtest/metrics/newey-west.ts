/**
 * Ordinary least squares of y on a constant and x, with standard errors that hold under heteroskedasticity and
 * autocorrelation (Newey and West 1987): Bartlett weights, `floor(4 (n / 100)^(2/9))` lags (Newey and West 1994), no
 * small-sample correction. Golden values: statsmodels OLS, cov_type HAC.
 * Edge cases: all NaN with fewer than 20 rows, or where x does not vary.
 */
import { assertSameLength, meanOf } from '../../metrics/metric.ts';
import { MIN_RETURNS } from './moments.ts';

export interface Regression {
  readonly alpha: number;
  readonly beta: number;
  readonly alphaError: number;
  readonly betaError: number;
}

const NOTHING: Regression = { alpha: NaN, beta: NaN, alphaError: NaN, betaError: NaN };

export const neweyWestLags = (n: number): number => Math.floor(4 * (n / 100) ** (2 / 9));

export function regress(y: Float64Array, x: Float64Array): Regression {
  assertSameLength('returns and those of the benchmark', y, x);
  const n = y.length;
  if (n < MIN_RETURNS) return NOTHING;
  const [meanX, meanY] = [meanOf(x), meanOf(y)];
  let xx = 0;
  let xy = 0;
  for (let t = 0; t < n; t++) {
    const d = x[t]! - meanX;
    xx += d * d;
    xy += d * (y[t]! - meanY);
  }
  if (!(xx > 0)) return NOTHING;
  const beta = xy / xx;
  const alpha = meanY - beta * meanX;
  const lags = neweyWestLags(n);
  // Influence of each row on beta, then on alpha: (X'X)^-1 x_t u_t, with x about its mean.
  const influence = new Float64Array(n);
  let explained = true;
  for (let t = 0; t < n; t++) {
    const residual = y[t]! - alpha - beta * x[t]!;
    influence[t] = ((x[t]! - meanX) / xx) * residual;
    if (residual !== 0) explained = false;
  }
  if (explained) return { alpha, beta, alphaError: 0, betaError: 0 };
  const betaError = Math.sqrt(longRunSum(influence, lags));
  for (let t = 0; t < n; t++) {
    const residual = y[t]! - alpha - beta * x[t]!;
    influence[t] = (1 / n - (meanX * (x[t]! - meanX)) / xx) * residual;
  }
  return { alpha, beta, alphaError: Math.sqrt(longRunSum(influence, lags)), betaError };
}

/** Sum over t and s of v[t] v[s] (1 - |t - s| / (lags + 1)), never negative but for rounding. */
function longRunSum(v: Float64Array, lags: number): number {
  let sum = 0;
  for (let from = 0; from <= lags; from += LAGS_AT_ONCE) {
    const products = laggedProducts(v, from);
    for (let lag = from; lag <= Math.min(lags, from + LAGS_AT_ONCE - 1); lag++) {
      sum += (lag === 0 ? 1 : 2 * (1 - lag / (lags + 1))) * products[lag - from]!;
    }
  }
  return Math.max(0, sum);
}

const LAGS_AT_ONCE = 4;

/**
 * Sums over t of v[t] v[t - k] for the lags k from `lag` on, in the order of t: several at once, for one sum alone waits
 * for each of its additions.
 */
function laggedProducts(v: Float64Array, lag: number): Float64Array {
  // One by one: numbers taken out of a list are kept as objects, each of them new at every step.
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  // Of the rows before t - lag; 0 before the first.
  let b1 = 0;
  let c1 = 0;
  let d1 = 0;
  for (let t = lag; t < v.length; t++) {
    const at = v[t]!;
    const a1 = v[t - lag]!;
    a += at * a1;
    b += at * b1;
    c += at * c1;
    d += at * d1;
    d1 = c1;
    c1 = b1;
    b1 = a1;
  }
  // Stored as numbers of this kind the sums need no memory of their own while they are made.
  const sums = new Float64Array(LAGS_AT_ONCE);
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
  return sums;
}
