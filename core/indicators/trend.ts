import { z } from 'zod';
import { ratioOf, scaled } from './arithmetic.ts';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { kernel, minus, one, root, smallest, times, zero } from './kernel.ts';
import { windowSlope } from './moments.ts';
import { columnBy } from './positions.ts';
import { logClose } from './series.ts';
import { windowMean, windowSquares } from './windows.ts';

const explainedKernel = kernel(2, 1, ([b, total], [spread]) =>
  smallest(one, ratioOf(times(times(b!, b!), spread!), total!, zero)),
);

const residualKernel = kernel(5, 2, ([x, mean, b, explained, total], [centre, share]) => {
  const sd = root(times(times(total!, minus(one, explained!)), share!));
  return ratioOf(minus(minus(x!, mean!), times(b!, centre!)), sd, zero);
});

/**
 * Ordinary least squares of ln c on time over `n` bars.
 * Formula: slope b = sum x (ln c) / sum x^2 with x centred; R2 = b^2 sum x^2 / SS; residual = last residual /
 * sqrt(SS (1 - R2) / (n - 2)). Edge: R2 and residual are 0 where all closes are equal.
 */
const outputs = {
  slope: (input: IndicatorInput, n: number): Float64Array =>
    input.share(`trend slope ${n}`, () =>
      scaled(windowSlope(logClose(input), n, input.positions), 1 / spreadOf(n), 0, input.positions),
    ),
  r2: (input: IndicatorInput, n: number): Float64Array =>
    input.share(`trend r2 ${n}`, () => {
      const total = windowSquares(logClose(input), n, input.positions);
      const columns = [outputs.slope(input, n), total];
      return columnBy(input.positions, explainedKernel, columns, [spreadOf(n)]);
    }),
  residual: (input: IndicatorInput, n: number): Float64Array => {
    const x = logClose(input);
    const { positions } = input;
    const columns = [
      ...[x, windowMean(x, n, positions)],
      ...[outputs.slope(input, n), outputs.r2(input, n), windowSquares(x, n, positions)],
    ];
    return columnBy(positions, residualKernel, columns, [(n - 1) / 2, 1 / (n - 2)]);
  },
} as const;

/** Sum of (i - centre)^2 over n places. */
const spreadOf = (n: number): number => (n * (n * n - 1)) / 12;

export const trend = defineIndicator({
  name: 'trend',
  docs: 'OLS of ln c on time: slope per bar, r2 [0], or last residual / residual SD [0]',
  params: z.strictObject({
    period: z.int().min(3).default(20),
    output: z.enum(['slope', 'r2', 'residual']).default('slope'),
  }),
  examples: [{ period: 60, output: 'r2' }, { output: 'residual' }],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: (input, { period, output }) => outputs[output](input, period),
});
