import { z } from 'zod';
import { difference, scaled } from './arithmetic.ts';
import { defineIndicator } from './indicator.ts';
import { logClose } from './series.ts';
import { barsSinceMax, barsSinceMin, windowMax, windowMin } from './windows.ts';

/** Log distance to the highest close. Formula: ln c - max ln c, <= 0. */
export const drawdown = defineIndicator({
  name: 'drawdown',
  docs: 'ln c - max ln c over `period` bars',
  params: z.strictObject({ period: z.int().min(1).default(20) }),
  examples: [{ period: 200 }],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: (input, { period }) =>
    difference(
      logClose(input),
      windowMax(logClose(input), period, input.positions),
      input.positions,
    ),
});

/** Log distance to the lowest close. Formula: ln c - min ln c, >= 0. */
export const drawup = defineIndicator({
  name: 'drawup',
  docs: 'ln c - min ln c over `period` bars',
  params: z.strictObject({ period: z.int().min(1).default(60) }),
  examples: [{ period: 200 }],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: (input, { period }) =>
    difference(
      logClose(input),
      windowMin(logClose(input), period, input.positions),
      input.positions,
    ),
});

/** Age of the extreme close as a share of the window: 0 this bar, 1 the oldest; the latest wins ties. */
export const barsSinceExtreme = defineIndicator({
  name: 'barsSinceExtreme',
  docs: 'bars since the highest (high) or lowest (low) close / (period - 1)',
  params: z.strictObject({
    period: z.int().min(2).default(60),
    of: z.enum(['high', 'low']).default('high'),
  }),
  examples: [{ of: 'low' }],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: ({ close, positions }, { period, of }) => {
    const age = (of === 'high' ? barsSinceMax : barsSinceMin)(close, period, positions);
    return scaled(age, 1 / (period - 1), 0, positions);
  },
});
