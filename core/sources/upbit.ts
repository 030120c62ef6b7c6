import { z } from 'zod';
import { defineSource } from './source.ts';

/** Candles that the exchange gives at once, at most. */
const MAX_COUNT = 200;

export const upbitParams = z.strictObject({
  baseUrl: z.url().default('https://api.upbit.com').describe('Where the quotation API is.'),
  markets: z
    .record(z.string(), z.string().regex(/^[A-Z0-9]+-[A-Z0-9]+$/, 'a market code such as KRW-BTC'))
    .default({})
    .describe('Market codes of instruments whose id is another one.'),
  pageBars: z
    .int()
    .min(2)
    .max(MAX_COUNT - 1)
    .default(MAX_COUNT - 1)
    .describe('Bars in a page; one candle more is asked for.'),
  requestsPerSecond: z
    .number()
    .min(0.1)
    .max(10)
    .default(8)
    .describe(
      'At most so many; the exchange counts 10 a second of an address, over all processes.',
    ),
  attempts: z.int().min(1).max(8).default(5).describe('Requests before a page is given up.'),
  timeoutMs: z.int().min(100).max(30_000).default(8_000).describe('Longest wait for an answer.'),
});
export type UpbitParams = z.infer<typeof upbitParams>;

export const upbit = defineSource({
  name: 'upbit',
  docs: 'Hourly and daily candles of the Upbit exchange (KRW-BTC and all other markets), with traded value.',
  params: upbitParams,
  columns: ['volume', 'value'],
  declaredDelayMs: 0,
  increments: true,
  load: () => import('./upbit.impl.ts'),
});
