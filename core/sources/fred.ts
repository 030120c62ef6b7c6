import { z } from 'zod';
import { defineSeries } from './series-source.ts';

const FREQUENCIES = ['daily', 'weekly', 'monthly', 'quarterly', 'annual'] as const;
export type FredFrequency = (typeof FREQUENCIES)[number];

const seriesSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Z0-9_]{1,40}$/, 'a series id such as UNRATE')
    .describe('Series id of the vendor.'),
  frequency: z
    .enum(FREQUENCIES)
    .describe('How long a period is: its date is the first day of it (weekly: the last).'),
  delayDays: z
    .number()
    .min(0)
    .max(400)
    .optional()
    .describe('Days from the end of a period to its publication; needed without vintages.'),
});

export const fredParams = z
  .strictObject({
    baseUrl: z.url().default('https://api.stlouisfed.org').describe('Where the API is.'),
    series: z
      .record(z.string().regex(/^[a-z][a-z0-9_]{0,40}$/, 'a column name such as cpi'), seriesSchema)
      .refine((all) => Object.keys(all).length > 0, 'at least one series')
      .describe('Series by the name that their column gets.'),
    vintages: z
      .boolean()
      .default(true)
      .describe(
        'Ask for every revision with the day it was published; else the newest values only.',
      ),
    vintageHours: z
      .number()
      .min(0)
      .max(96)
      .default(30)
      .describe(
        'Hours from midnight UTC of the day of publication until a vintage counts as known.',
      ),
    windowYears: z
      .int()
      .min(1)
      .max(50)
      .default(5)
      .describe('Years of vintages asked for at once: the vendor gives 2000 vintage days at most.'),
    pageRows: z.int().min(2).max(100_000).default(100_000).describe('Values in an answer.'),
    attempts: z.int().min(1).max(6).default(4).describe('Requests before a page is given up.'),
  })
  .refine(
    ({ vintages, series }) =>
      vintages || Object.values(series).every(({ delayDays }) => delayDays !== undefined),
    { message: 'without vintages each series needs delayDays', path: ['series'] },
  );
export type FredParams = z.infer<typeof fredParams>;

export const fred = defineSeries({
  name: 'fred',
  docs: 'Macro series of the FRED/ALFRED API with their revisions: usable from the day of publication on.',
  params: fredParams,
  columns: ({ series }) =>
    Object.keys(series).map((name) => ({ name, quantity: name, join: 'last' as const })),
  restates: ({ vintages }) => !vintages,
  load: () => import('./fred.impl.ts'),
});
