import { z } from 'zod';
import { defineIndicator } from './indicator.ts';
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
    const out = new Float64Array(input.rows).fill(NaN);
    for (let t = period - 1; t < out.length; t++) {
      const middle = mean[t]!;
      const last = price[t]!;
      let deviation = 0;
      let moved = false;
      for (let i = t - period + 1; i <= t; i++) {
        const value = price[i]!;
        deviation += Math.abs(value - middle);
        // Rounding of the mean must not pass for a deviation.
        if (value !== last) moved = true;
      }
      out[t] = moved ? (last - middle) / ((1.5 * deviation) / period) : 0;
    }
    return out;
  },
});
