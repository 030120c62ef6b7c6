import { z } from 'zod';
import { ratio, scaled } from './arithmetic.ts';
import { highest, lowest } from './donchian.ts';
import { defineIndicator } from './indicator.ts';
import { isEqual, kernel, minus, number, over, size, where, zero } from './kernel.ts';
import { naturalLog } from './logarithm.ts';
import { columnBy } from './positions.ts';
import { trueRanges } from './series.ts';
import { barsSinceMax, barsSinceMin, windowSum } from './windows.ts';

const oscillatorKernel = kernel(2, 1, ([down, up], [n]) => over(minus(down!, up!), n!));

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
  compute: ({ high, low, positions }, { period, output }) => {
    const sinceMax = () => barsSinceMax(high, period + 1, positions);
    const sinceMin = () => barsSinceMin(low, period + 1, positions);
    if (output === 'up') return scaled(sinceMax(), -1 / period, 1, positions);
    if (output === 'down') return scaled(sinceMin(), -1 / period, 1, positions);
    return columnBy(positions, oscillatorKernel, [sinceMin(), sinceMax()], [period]);
  },
});

const distanceKernel = kernel(2, 0, ([a, b]) => size(minus(a!, b!)));

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
    const { positions } = input;
    const [first, second] = output === 'plus' ? [input.high, input.low] : [input.low, input.high];
    const moves = columnBy(positions, distanceKernel, [first, [second, 1]], [], 1);
    const sum = windowSum(moves, period, positions);
    return ratio(sum, windowSum(trueRanges(input), period, positions), 1, positions);
  },
});

const choppinessKernel = kernel(3, 1, ([sum, high, low], [base]) => {
  const range = minus(high!, low!);
  const flat = where(isEqual(sum!, sum!), zero, number(NaN));
  return where(isEqual(range, zero), flat, over(naturalLog(over(sum!, range)), base!));
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
    return columnBy(input.positions, choppinessKernel, [path, high, low], [Math.log(period)]);
  },
});
