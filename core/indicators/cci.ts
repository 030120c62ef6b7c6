import { z } from 'zod';
import { defineIndicator } from './indicator.ts';
import { columnOf } from './positions.ts';
import { typicalPrice } from './series.ts';
import { windowMean } from './windows.ts';

/**
 * Commodity channel index (Lambert, 1980), / 100.
 * Formula: (tp - mean tp) / (0.015 * mean |tp - mean tp|), tp = (h + l + c) / 3.
 * Edge: 0 where all typical prices of the window are equal.
 */
export const cci = defineIndicator({
  name: 'cci',
  docs: 'commodity channel index / 100: (tp - mean) / (0.015 mean absolute deviation) [0]',
  params: z.strictObject({ period: z.int().min(2).default(14) }),
  examples: [{ period: 20 }],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: (input, { period }) => {
    const price = typicalPrice(input);
    const mean = windowMean(price, period, input.positions);
    return columnOf(
      input.positions,
      [mean, price, period],
      (out, [mean, price, period], from, to) => {
        for (let t = from; t < to; t++) {
          const middle = mean[t]!;
          const deviation = deviations(price, middle, t - period + 1, t);
          // The mean of equal prices is exactly that price.
          out[t] = deviation === 0 ? 0 : (price[t]! - middle) / ((1.5 * deviation) / period);
        }
      },
      period - 1,
    );
  },
});

/** Sum of |x - middle| over the rows `first`..`last`; in four sums, which do not wait for each other. */
function deviations(x: Float64Array, middle: number, first: number, last: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = first;
  for (; i + 3 <= last; i += 4) {
    a += Math.abs(x[i]! - middle);
    b += Math.abs(x[i + 1]! - middle);
    c += Math.abs(x[i + 2]! - middle);
    d += Math.abs(x[i + 3]! - middle);
  }
  for (; i <= last; i++) a += Math.abs(x[i]! - middle);
  return a + b + (c + d);
}
