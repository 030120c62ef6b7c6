import { z } from 'zod';
import { ratio, ratioMinusOne } from './arithmetic.ts';
import { defineIndicator, use } from './indicator.ts';
import { logRatioKernel } from './logarithm.ts';
import { columnBy } from './positions.ts';
import { emaColumn, emaMemory } from './recursions.ts';
import { windowMean } from './windows.ts';

const period = z.int().min(1).max(1000);

/** Simple moving average. Formula: mean of the last `period` values. */
export const sma = defineIndicator({
  name: 'sma',
  docs: 'simple moving average of the close or the volume',
  params: z.strictObject({
    period: period.default(20),
    of: z.enum(['close', 'volume']).default('close'),
  }),
  examples: [{ period: 5 }, { period: 200 }, { period: 20, of: 'volume' }],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n, of }) => windowMean(input[of], n, input.positions),
});

/** Exponential moving average. Formula: alpha = 2 / (period + 1), start = SMA of the first values. */
export const ema = defineIndicator({
  name: 'ema',
  docs: 'exponential moving average of the close, alpha = 2 / (period + 1), start = SMA',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 5 }, { period: 26 }, { period: 100 }],
  recursive: true,
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => emaMemory(n),
  compute: (input, { period: n }) => emaColumn(input.close, n, input.positions),
});

export const closeToSma = defineIndicator({
  name: 'closeToSma',
  docs: 'c / sma - 1',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 200 }],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) =>
    ratioMinusOne(input.close, input.column(use(sma, { period: n })), input.positions),
});

export const priceToSma = defineIndicator({
  name: 'priceToSma',
  docs: 'c / sma',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 100 }],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) =>
    ratio(input.close, input.column(use(sma, { period: n })), 1, input.positions),
});

export const closeToEma = defineIndicator({
  name: 'closeToEma',
  docs: 'c / ema - 1',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 26 }],
  recursive: true,
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => emaMemory(n),
  compute: (input, { period: n }) =>
    ratioMinusOne(input.close, input.column(use(ema, { period: n })), input.positions),
});

export const smaSpread = defineIndicator({
  name: 'smaSpread',
  docs: 'sma(short) / sma(long) - 1',
  params: z.strictObject({ short: period.default(20), long: period.default(50) }),
  examples: [{ short: 50, long: 200 }],
  warmupBars: ({ short, long }) => Math.max(short, long) - 1,
  memoryBars: ({ short, long }) => Math.max(short, long) - 1,
  compute: (input, { short, long }) =>
    ratioMinusOne(
      input.column(use(sma, { period: short })),
      input.column(use(sma, { period: long })),
      input.positions,
    ),
});

export const smaSlope = defineIndicator({
  name: 'smaSlope',
  docs: 'ln(sma / sma[-bars])',
  params: z.strictObject({ period: period.default(20), bars: z.int().min(1).default(5) }),
  examples: [{ period: 50, bars: 10 }],
  warmupBars: ({ period: n, bars }) => n - 1 + bars,
  memoryBars: ({ period: n, bars }) => n - 1 + bars,
  compute: (input, { period: n, bars }) => {
    const mean = input.column(use(sma, { period: n }));
    return columnBy(input.positions, logRatioKernel, [mean, [mean, bars]], [], bars);
  },
});
