import { z } from 'zod';
import { gainsOf, lagged, ratioOf, signsOf } from './arithmetic.ts';
import { defineIndicator } from './indicator.ts';
import { isEqual, kernel, minus, over, root, times, where, zero } from './kernel.ts';
import { type BarPositions, columnBy } from './positions.ts';
import { logReturns } from './series.ts';
import { windowCubes, windowProducts, windowQuarts } from './moments.ts';
import { windowMax, windowMean, windowMin, windowSquares } from './windows.ts';

const period = z.int().min(4).max(1000);

const skewKernel = kernel(2, 1, ([squares, cubes], [correction]) =>
  ratioOf(times(cubes!, correction!), times(squares!, root(squares!)), zero),
);

/** 0 if constant: a window that is has squares of exactly 0. */
const kurtosisKernel = kernel(2, 2, ([squares, quarts], [factor, normal]) => {
  const excess = minus(over(times(quarts!, factor!), times(squares!, squares!)), normal!);
  return where(isEqual(squares!, zero), zero, excess);
});

/** Sample skewness of log returns, bias-corrected: sqrt(n(n-1))/(n-2) m3/m2^1.5. Edge: 0 if constant. */
export const skewness = defineIndicator({
  name: 'skewness',
  docs: 'bias-corrected skewness of log returns [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 60 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => {
    const returns = logReturns(input);
    const second = windowSquares(returns, n, input.positions);
    const third = windowCubes(returns, n, input.positions);
    const correction = (Math.sqrt(n * (n - 1)) / (n - 2)) * Math.sqrt(n);
    return columnBy(input.positions, skewKernel, [second, third], [correction]);
  },
});

/** Sample excess kurtosis of log returns, bias-corrected (G2). Edge: 0 if constant. */
export const kurtosis = defineIndicator({
  name: 'kurtosis',
  docs: 'bias-corrected excess kurtosis of log returns [0]',
  params: z.strictObject({ period: period.default(60) }),
  examples: [{ period: 20 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => {
    const returns = logReturns(input);
    const second = windowSquares(returns, n, input.positions);
    const fourth = windowQuarts(returns, n, input.positions);
    const factor = (n - 1) / ((n - 2) * (n - 3));
    const numbers = [factor * (n + 1) * n, factor * 3 * (n - 1)];
    return columnBy(input.positions, kurtosisKernel, [second, fourth], numbers);
  },
});

const correlationKernel = kernel(3, 0, ([xx, yy, xy]) => ratioOf(xy!, root(times(xx!, yy!)), zero));

/** Pearson correlation of two series over the last `n` rows. Edge: 0 where one of them is constant. */
export function windowCorrelation(
  x: Float64Array,
  y: Float64Array,
  n: number,
  positions: BarPositions,
): Float64Array {
  const xx = windowSquares(x, n, positions);
  const yy = windowSquares(y, n, positions);
  const xy = windowProducts(x, y, n, positions);
  return columnBy(positions, correlationKernel, [xx, yy, xy]);
}

export const autocorrelation = defineIndicator({
  name: 'autocorrelation',
  docs: 'correlation of log returns with those one bar before, over `period` pairs [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 60 }],
  warmupBars: ({ period: n }) => n + 1,
  memoryBars: ({ period: n }) => n + 1,
  compute: (input, { period: n }) => {
    const { positions } = input;
    const returns = logReturns(input);
    const before = positions.share(returns, 'before', () => lagged(returns, 1, positions));
    return windowCorrelation(returns, before, n, positions);
  },
});

export const upShare = defineIndicator({
  name: 'upShare',
  docs: 'share of bars whose log return is above 0',
  params: z.strictObject({ period: z.int().min(1).default(20) }),
  examples: [{ period: 10 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => {
    const { positions } = input;
    return windowMean(gainsOf(signsOf(logReturns(input), positions), positions), n, positions);
  },
});

export const extremeReturn = defineIndicator({
  name: 'extremeReturn',
  docs: 'largest (max) or smallest (min) log return',
  params: z.strictObject({
    period: z.int().min(1).default(20),
    of: z.enum(['max', 'min']).default('max'),
  }),
  examples: [{ of: 'min' }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n, of }) =>
    (of === 'max' ? windowMax : windowMin)(logReturns(input), n, input.positions),
});
