import { z } from 'zod';
import { positionIn } from './arithmetic.ts';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { logRatioKernel } from './logarithm.ts';
import { columnBy } from './positions.ts';
import { windowMax, windowMean, windowMin } from './windows.ts';

/** Highest high and lowest low of the last `period` bars. */
export const highest = (input: IndicatorInput, period: number): Float64Array =>
  windowMax(input.high, period, input.positions);
export const lowest = (input: IndicatorInput, period: number): Float64Array =>
  windowMin(input.low, period, input.positions);

const positionInRange = (input: IndicatorInput, period: number): Float64Array =>
  input.share(`range position ${period}`, () =>
    positionIn(input.close, lowest(input, period), highest(input, period), 0.5, input.positions),
  );

/**
 * Stochastic oscillator (Lane), 0..1. Formula: (c - min l) / (max h - min l), smoothed by a simple mean
 * of `smooth` bars (1: the fast %K; 3: its %D). Edge: 0.5 where the range is empty (TA-Lib: 0).
 */
export const stochastic = defineIndicator({
  name: 'stochastic',
  docs: '(c - min l) / (max h - min l) over `period` bars, mean of `smooth` bars [0.5]',
  params: z.strictObject({
    period: z.int().min(1).default(14),
    smooth: z.int().min(1).default(1),
  }),
  examples: [{ period: 5, smooth: 3 }],
  warmupBars: ({ period, smooth }) => period + smooth - 2,
  memoryBars: ({ period, smooth }) => period + smooth - 2,
  compute: (input, { period, smooth }) => {
    const fast = positionInRange(input, period);
    return smooth === 1 ? fast : windowMean(fast, smooth, input.positions);
  },
});

/** Where the close lies in the Donchian channel, and how wide that is. */
export const donchian = defineIndicator({
  name: 'donchian',
  docs: 'channel of highest high and lowest low: position of c in it [0.5], or width ln(max h / min l)',
  params: z.strictObject({
    period: z.int().min(1).default(20),
    output: z.enum(['position', 'width']).default('position'),
  }),
  examples: [{ period: 200 }, { output: 'width' }],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: (input, { period, output }) => {
    if (output === 'position') return positionInRange(input, period);
    const high = highest(input, period);
    const low = lowest(input, period);
    return columnBy(input.positions, logRatioKernel, [high, low]);
  },
});
