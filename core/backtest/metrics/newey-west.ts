/**
 * Ordinary least squares of y on a constant and x, with standard errors that hold under heteroskedasticity and
 * autocorrelation (Newey and West 1987): Bartlett weights, `floor(4 (n / 100)^(2/9))` lags (Newey and West 1994), no
 * small-sample correction. Golden values: statsmodels OLS, cov_type HAC.
 * Edge cases: all NaN with fewer than 20 rows, or where x does not vary.
 */
import { assertSameLength, meanOf } from '../../metrics/metric.ts';
import { laggedProducts } from './lagged-products.ts';
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
  const products = laggedProducts(v, lags);
  let sum = 0;
  for (let lag = 0; lag <= lags; lag++) {
    sum += (lag === 0 ? 1 : 2 * (1 - lag / (lags + 1))) * products[lag]!;
  }
  return Math.max(0, sum);
}
