import { z } from 'zod';
import { defineSource } from './source.ts';

const symbol = z.string().regex(/^[A-Z0-9]+\/[A-Z0-9]+(:[A-Z0-9]+)?$/, 'a symbol such as BTC/USDT');

export const ccxtParams = z.strictObject({
  exchange: z
    .string()
    .regex(/^[a-z][a-z0-9]{1,31}$/, 'the id of an exchange as ccxt writes it, such as kraken')
    .default('binance')
    .describe('Exchange, by its id in ccxt.'),
  markets: z
    .record(
      z.string(),
      z.strictObject({
        symbol: symbol.describe(
          "The market as ccxt writes it; an instrument's id with / for - otherwise.",
        ),
        id: z
          .string()
          .min(1)
          .max(64)
          .optional()
          .describe("The exchange's own id of it; absent: all its markets are asked for first."),
      }),
    )
    .default({})
    .describe('Markets of instruments.'),
  start: z.iso
    .date('a date, YYYY-MM-DD')
    .default('2017-01-01')
    .describe('First day asked for where all history is.'),
  baseUrl: z
    .url()
    .optional()
    .describe('Asked instead of the hosts that ccxt knows, such as a mirror; paths stay.'),
  pageBars: z.int().min(10).max(1_000).default(500).describe('Bars asked for at once.'),
  options: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("ccxt's options of the exchange, such as { fetchMarkets: { types: [spot] } }."),
  attempts: z.int().min(1).max(8).default(4).describe('Requests before a page is given up.'),
  timeoutMs: z.int().min(100).max(30_000).default(10_000).describe('Longest wait for an answer.'),
});
export type CcxtParams = z.infer<typeof ccxtParams>;

export const ccxt = defineSource({
  name: 'ccxt',
  docs: 'Hourly and daily candles of any exchange that the ccxt library knows; only the hosts of the dataset are reached.',
  params: ccxtParams,
  columns: ['volume'],
  declaredDelayMs: 0,
  increments: true,
  load: () => import('./ccxt.impl.ts'),
});
