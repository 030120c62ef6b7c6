import { z } from 'zod';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { logClose } from './series.ts';
import { windowSquares, windowSum } from './windows.ts';

interface Trend {
  readonly slope: Float64Array;
  readonly r2: Float64Array;
  readonly residual: Float64Array;
}

/**
 * Ordinary least squares of ln c on time over `n` bars.
 * Formula: slope b = sum x (ln c) / sum x^2 with x centred; R2 = b^2 sum x^2 / SS; residual = last residual /
 * sqrt(SS (1 - R2) / (n - 2)). Edge: R2 and residual are 0 where all closes are equal.
 */
function trendOf(input: IndicatorInput, n: number): Trend {
  return input.share(`trend ${n}`, () => {
    const x = logClose(input);
    const slope = new Float64Array(input.rows).fill(NaN);
    const r2 = new Float64Array(input.rows).fill(NaN);
    const residual = new Float64Array(input.rows).fill(NaN);
    const squares = windowSquares(x, n, input.positions);
    const sums = windowSum(x, n, input.positions);
    const centre = (n - 1) / 2;
    const spread = (n * (n * n - 1)) / 12;
    for (let t = n - 1; t < input.rows; t++) {
      const last = x[t]!;
      let sum = 0;
      for (let i = 0, at = t - n + 1; i < n; i++, at++) sum += (i - centre) * (x[at]! - last);
      const b = sum / spread;
      const total = squares[t]!;
      const explained = total === 0 ? 0 : Math.min(1, (b * b * spread) / total);
      const sd = Math.sqrt((total * (1 - explained)) / (n - 2));
      slope[t] = b;
      r2[t] = explained;
      residual[t] = sd === 0 ? 0 : (last - sums[t]! / n - b * centre) / sd;
    }
    return { slope, r2, residual };
  });
}

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
  compute: (input, { period, output }) => trendOf(input, period)[output],
});
