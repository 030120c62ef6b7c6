import { rootOf } from './arithmetic.ts';
import {
  kernel,
  type Kernel,
  minus,
  number,
  one,
  over,
  plus,
  sumOf,
  type Term,
  times,
} from './kernel.ts';
import { type BarPositions, columnBy, columnOf } from './positions.ts';

export { barsSinceMax, barsSinceMin, windowMax, windowMin } from './extremes.ts';

/**
 * Sliding-window statistics, exact in the sense that matters here: each value is a function of its window's
 * values alone, bit for bit, wherever history starts. NaN stays in its windows.
 *
 * Method: a window of n bars is made of k windows of p = n / k bars, k a small factor of n, which are columns of their own,
 * made once for all that need them: 200 bars are two times 100, these two times 50. Where n has no small factor, it is a
 * window of n - 1 bars and one bar before it. Sums of a few sums round seldom; nothing is ever taken away, hence no drift and
 * exact zeros. Deviations are merged about the mean of the parts' means (Chan, Golub and LeVeque, 1979; Pebay, 2008).
 */

const FACTORS = [2, 3, 5, 7] as const;

/** A statistic of a window, made of statistics of its parts. */
export interface Statistic {
  readonly name: string;
  /** Statistics that are read of each part, in that order. */
  readonly of: readonly WindowStatistic[];
  /** From equal parts of `p` bars, the newest first. */
  equal(parts: readonly (readonly Term[])[], p: Term): Term;
  /** From the newest `n - 1` bars and the one before them. */
  oneMore(newest: readonly Term[], before: readonly Term[], n: Term): Term;
}

export type WindowStatistic = (x: Float64Array, n: number, positions: BarPositions) => Float64Array;

const kernels = new Map<string, Kernel>();

/** Kernels by the number of parts; 0: of n - 1 bars and one. */
function kernelOf({ name, of, equal, oneMore }: Statistic, k: number): Kernel {
  const key = `${name} ${k}`;
  let found = kernels.get(key);
  if (found === undefined) {
    const parts = Math.max(k, 2);
    found = kernel(of.length * parts, 1, (terms, [bars]) => {
      const grouped = Array.from({ length: parts }, (_, i) =>
        terms.slice(i * of.length, (i + 1) * of.length),
      );
      return k === 0 ? oneMore(grouped[0]!, grouped[1]!, bars!) : equal(grouped, bars!);
    });
    kernels.set(key, found);
  }
  return found;
}

/** The column of a statistic over `n` >= 2 bars of x, made once. */
export function windowOf(
  statistic: Statistic,
  x: Float64Array,
  n: number,
  positions: BarPositions,
): Float64Array {
  const { name, of } = statistic;
  return positions.share(x, `${name} ${n}`, () => {
    const k = FACTORS.find((factor) => n % factor === 0);
    const p = k === undefined ? n - 1 : n / k;
    const lags = Array.from({ length: k ?? 2 }, (_, i) => i * p);
    const operands = lags.flatMap((lag, i) =>
      of.map((part) => [part(x, k === undefined && i > 0 ? 1 : p, positions), lag] as const),
    );
    return columnBy(
      positions,
      kernelOf(statistic, k ?? 0),
      operands,
      [k === undefined ? n : p],
      n - 1,
    );
  });
}

/** Sum of the last `n` values. */
export const windowSum: WindowStatistic = (x, n, positions) =>
  n === 1 ? x : windowOf(sum, x, n, positions);

const sum: Statistic = {
  name: 'sum',
  of: [windowSum],
  equal: (parts) => sumOf(parts.map(([s]) => s!)),
  oneMore: ([s], [x]) => plus(s!, x!),
};

/** Mean of the last `n` values; of values that are all one it is that one. */
export const windowMean: WindowStatistic = (x, n, positions) =>
  n === 1 ? x : windowOf(mean, x, n, positions);

/** The mean of terms: the first one, and what the others deviate from it. */
export function centreOf(terms: readonly Term[]): Term {
  const [first, ...others] = terms;
  const away = sumOf(others.map((one) => minus(one, first!)));
  return plus(first!, times(away, number(1 / terms.length)));
}

const mean: Statistic = {
  name: 'mean',
  of: [windowMean],
  equal: (parts) => centreOf(parts.map(([m]) => m!)),
  oneMore: ([m], [x], n) => plus(m!, over(minus(x!, m!), n)),
};

/** Sum of squared deviations from the window's own mean; 0 exactly for a constant window. */
export const windowSquares: WindowStatistic = (x, n, positions) =>
  n === 1 ? zeros(positions) : windowOf(squares, x, n, positions);

const squares: Statistic = {
  name: 'squares',
  of: [windowSquares, windowMean],
  equal(parts, p) {
    const centre = centreOf(parts.map(([, m]) => m!));
    const about = parts.map(([, m]) => square(minus(m!, centre)));
    return plus(sumOf(parts.map(([q]) => q!)), times(sumOf(about), p));
  },
  oneMore([q, m], [, x], n) {
    const d = minus(x!, m!);
    return plus(q!, times(square(d), minus(one, over(one, n))));
  },
};

const square = (x: Term): Term => times(x, x);

const NOTHING = new Float64Array(0);

/** 0 in every row: what deviates in a window of one bar. */
export const zeros = (positions: BarPositions): Float64Array =>
  positions.share(NOTHING, 'zeros', () =>
    columnOf(positions, [], (out, _given, from, to) => out.fill(0, from, to)),
  );

/** Standard deviation of the last `n` values; `ddof` 0 for a population, 1 for a sample. */
export const windowSd = (
  x: Float64Array,
  n: number,
  positions: BarPositions,
  ddof: 0 | 1,
): Float64Array =>
  positions.share(x, `sd ${n} ${ddof}`, () =>
    rootOf(windowSquares(x, n, positions), 1 / (n - ddof), positions),
  );
