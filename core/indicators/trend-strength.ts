import { z } from 'zod';
import { highest, lowest } from './donchian.ts';
import { defineIndicator } from './indicator.ts';
import { trueRanges } from './series.ts';
import { barsSinceMax, barsSinceMin, windowSum } from './windows.ts';

/**
 * Aroon (Chande, 1995), 0..1; the oscillator -1..1.
 * Formula: (n - bars since the highest high of n + 1 bars) / n; the latest extreme wins ties (TA-Lib).
 */
export const aroon = defineIndicator({
  name: 'aroon',
  docs: 'up (n - bars since max h) / n, down (n - bars since min l) / n, or oscillator up - down',
  params: z.strictObject({
    period: z.int().min(1).default(25),
    output: z.enum(['up', 'down', 'oscillator']).default('oscillator'),
  }),
  examples: [{ output: 'up' }, { output: 'down' }],
  warmupBars: ({ period }) => period,
  memoryBars: ({ period }) => period,
  compute: (input, { period, output }) => {
    const up = barsSinceMax(input.high, period + 1);
    if (output === 'up') return up.map((age) => (period - age) / period);
    const down = barsSinceMin(input.low, period + 1);
    if (output === 'down') return down.map((age) => (period - age) / period);
    return up.map((age, t) => (down[t]! - age) / period);
  },
});

/** Vortex (Botes and Siepman, 2010). Formula: sum |h - l[-1]| / sum TR, sum |l - h[-1]| / sum TR. */
export const vortex = defineIndicator({
  name: 'vortex',
  docs: 'plus sum |h - l[-1]| / sum TR, minus sum |l - h[-1]| / sum TR [1]',
  params: z.strictObject({
    period: z.int().min(1).default(14),
    output: z.enum(['plus', 'minus']).default('plus'),
  }),
  examples: [{ output: 'minus' }],
  warmupBars: ({ period }) => period,
  memoryBars: ({ period }) => period,
  compute: (input, { period, output }) => {
    const [one, other] = output === 'plus' ? [input.high, input.low] : [input.low, input.high];
    const moves = new Float64Array(input.rows).fill(NaN);
    for (let t = 1; t < input.rows; t++) moves[t] = Math.abs(one[t]! - other[t - 1]!);
    const sum = windowSum(moves, period, input.positions);
    const range = windowSum(trueRanges(input), period, input.positions);
    return sum.map((value, t) => (range[t] === 0 ? 1 : value / range[t]!));
  },
});

/** Choppiness (Dreiss): ~1 sideways, ~0 trending. Formula: log_n(sum TR / (max h - min l)). */
export const choppiness = defineIndicator({
  name: 'choppiness',
  docs: 'log of sum TR / (max h - min l), to the base `period` [0]',
  params: z.strictObject({ period: z.int().min(2).default(14) }),
  examples: [],
  warmupBars: ({ period }) => period,
  memoryBars: ({ period }) => period,
  compute: (input, { period }) => {
    const path = windowSum(trueRanges(input), period, input.positions);
    const high = highest(input, period);
    const low = lowest(input, period);
    return path.map((sum, t) => {
      const range = high[t]! - low[t]!;
      if (range === 0) return Number.isNaN(sum) ? NaN : 0;
      return Math.log(sum / range) / Math.log(period);
    });
  },
});
