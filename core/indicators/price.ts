import { z } from 'zod';
import { ratio } from './arithmetic.ts';
import { defineIndicator } from './indicator.ts';

const prices = ['open', 'high', 'low', 'close'] as const;

/** A column of the bar as it is. */
export const barColumn = defineIndicator({
  name: 'barColumn',
  docs: 'a column of the bar: open, high, low, close, volume or value (volume x (h + l + c) / 3 where the source has none)',
  params: z.strictObject({ of: z.enum([...prices, 'volume', 'value']).default('close') }),
  examples: [{ of: 'open' }, { of: 'value' }],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: (input, { of }) => input[of],
});

/** One price of the bar over another. Edge: prices are above 0, so there is no neutral value. */
export const priceRatio = defineIndicator({
  name: 'priceRatio',
  docs: 'one price of the bar / another',
  params: z.strictObject({
    of: z.enum(prices).default('high'),
    over: z.enum(prices).default('low'),
  }),
  examples: [{ of: 'close', over: 'open' }],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: (input, { of, over }) => ratio(input[of], input[over], 1, input.positions),
});
