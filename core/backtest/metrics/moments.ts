/** Moments of a column of returns. */
import { meanOf } from '../../metrics/metric.ts';

/** Fewer returns than this say nothing of a spread. */
export const MIN_RETURNS = 20;
/** A spread below this share of the largest return is rounding. */
const ROUNDING = 1e-12;

export interface Moments {
  readonly count: number;
  readonly mean: number;
  /** ddof 1; NaN below 20 values; 0 where they differ by rounding only. */
  readonly sd: number;
  /** Population skewness, and kurtosis (3 for a normal). */
  readonly skewness: number;
  readonly kurtosis: number;
  /** Sum of the squares of values below 0. */
  readonly squaresBelow: number;
  /** Values above 0, and values that are not 0. */
  readonly above: number;
  readonly moved: number;
}

export function momentsOf(values: Float64Array): Moments {
  const count = values.length;
  const mean = meanOf(values);
  let squares = 0;
  let cubes = 0;
  let fourths = 0;
  let largest = 0;
  let squaresBelow = 0;
  let above = 0;
  let moved = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    const d = value - mean;
    const square = d * d;
    squares += square;
    cubes += square * d;
    fourths += square * square;
    const size = Math.abs(value);
    if (size > largest) largest = size;
    // The value below 0, else 0. A return's sign cannot be guessed: what branches on it waits at every other row.
    const below = (value - size) * 0.5;
    squaresBelow += below * below;
    above = (above + Number(value > 0)) | 0;
    moved = (moved + Number(value !== 0)) | 0;
  }
  const variance = squares / count;
  const sd = Math.sqrt(squares / (count - 1));
  return {
    count,
    mean,
    sd: count < MIN_RETURNS ? NaN : sd <= ROUNDING * largest ? 0 : sd,
    skewness: cubes / count / variance ** 1.5,
    kurtosis: fourths / count / variance ** 2,
    ...{ squaresBelow, above, moved },
  };
}

/** (mean - target) / SD; NaN without a spread. */
export const sharpePerBar = ({ mean, sd }: Moments, riskFree = 0): number =>
  sd > 0 ? (mean - riskFree) / sd : NaN;
