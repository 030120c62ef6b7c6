/**
 * Ordinary least squares of y on a constant and x, with standard errors that hold under heteroskedasticity and
 * autocorrelation (Newey and West 1987): Bartlett weights, `floor(4 (n / 100)^(2/9))` lags (Newey and West 1994), no
 * small-sample correction. Golden values: statsmodels OLS, cov_type HAC.
 * Edge cases: all NaN with fewer than 20 rows, or where x does not vary.
 */
import { assertSameLength, meanOf } from '../../metrics/metric.ts';
import { laggedProducts, type Writes } from './lagged-products.ts';
import { MIN_RETURNS } from './moments.ts';

export interface Regression {
  readonly alpha: number;
  readonly beta: number;
  readonly alphaError: number;
  readonly betaError: number;
}

const NOTHING: Regression = { alpha: NaN, beta: NaN, alphaError: NaN, betaError: NaN };

export const neweyWestLags = (n: number): number => Math.floor(4 * (n / 100) ** (2 / 9));

/** Means may be given where they are known. */
export function regress(
  y: Float64Array,
  x: Float64Array,
  meanY: number = meanOf(y),
  meanX: number = meanOf(x),
): Regression {
  assertSameLength('returns and those of the benchmark', y, x);
  const n = y.length;
  if (n < MIN_RETURNS) return NOTHING;
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
  let t = 0;
  while (t < n && y[t]! - alpha - beta * x[t]! === 0) t++;
  if (t === n) return { alpha, beta, alphaError: 0, betaError: 0 };
  const line: Line = { y, x, alpha, beta, meanX, xx };
  const errorOf = (writes: InfluenceWrites): number =>
    Math.sqrt(longRunSum(n, (...place) => writes(line, ...place)));
  return { alpha, beta, alphaError: errorOf(onAlpha), betaError: errorOf(onBeta) };
}

/** A line through rows: y = alpha + beta x, with the sum of squares of x about its mean. */
interface Line extends Pick<Regression, 'alpha' | 'beta'> {
  readonly y: Float64Array;
  readonly x: Float64Array;
  readonly meanX: number;
  readonly xx: number;
}

/** The influence of each row on a part of the line: (X'X)^-1 x_t u_t, with x about its mean. */
type InfluenceWrites = (line: Line, ...place: Parameters<Writes>) => void;

// The line's numbers are taken out of it before the loop, where they stay.
const onBeta: InfluenceWrites = ({ y, x, alpha, beta, meanX, xx }, out, at, from, count) => {
  for (let k = 0; k < count; k++) {
    const value = x[from + k]!;
    out[at + k] = ((value - meanX) / xx) * (y[from + k]! - alpha - beta * value);
  }
};

const onAlpha: InfluenceWrites = ({ y, x, alpha, beta, meanX, xx }, out, at, from, count) => {
  const each = 1 / y.length;
  for (let k = 0; k < count; k++) {
    const value = x[from + k]!;
    out[at + k] = (each - (meanX * (value - meanX)) / xx) * (y[from + k]! - alpha - beta * value);
  }
};

/** Sum over t and s of v[t] v[s] (1 - |t - s| / (lags + 1)) of `n` values, never negative but for rounding. */
function longRunSum(n: number, values: Writes): number {
  const lags = neweyWestLags(n);
  const products = laggedProducts(n, lags, values);
  let sum = 0;
  for (let lag = 0; lag <= lags; lag++) {
    sum += (lag === 0 ? 1 : 2 * (1 - lag / (lags + 1))) * products[lag]!;
  }
  return Math.max(0, sum);
}
