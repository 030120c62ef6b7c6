import { z } from 'zod';
import { defineSource } from './source.ts';

export const yahooParams = z.strictObject({
  baseUrl: z.url().default('https://query1.finance.yahoo.com').describe('Where the chart API is.'),
  symbols: z
    .record(z.string(), z.string().min(1).max(32))
    .default({})
    .describe('Symbols of instruments whose id is another one.'),
  dividends: z.boolean().default(true).describe('Adjust earlier prices for dividends.'),
  windowDays: z
    .int()
    .min(1)
    .max(40_000)
    .default(40_000)
    .describe('Days asked for at once; dividends adjust within one window.'),
  attempts: z.int().min(1).max(6).default(4).describe('Requests before a page is given up.'),
});

export const yahoo = defineSource({
  name: 'yahoo',
  docs: 'Daily and hourly bars of the Yahoo Finance chart API: split-adjusted prices, dividends as factors.',
  params: yahooParams,
  columns: ['volume'],
  declaredDelayMs: 15 * 60_000,
  load: () => import('./yahoo.impl.ts'),
});
