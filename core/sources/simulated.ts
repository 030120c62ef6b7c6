import { z } from 'zod';
import { calendars } from '../calendar/index.ts';
import { defineSource } from './source.ts';

const MAX_SHARE = 0.25;
const isoDate = z.iso
  .date('a date, YYYY-MM-DD')
  .refine((date) => date >= '1970-01-01' && date < '2100-01-01', 'lies in 1970..2099');
const momentum = z
  .number()
  .min(-MAX_SHARE)
  .max(MAX_SHARE)
  .describe(
    "Share of the next bar's variance that the last five returns tell: above 0 trends go on, below 0 they " +
      'revert, 0 leaves nothing to learn.',
  );

export const simulatedParams = z.strictObject({
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1)
    .describe('With the id of the instrument and the timeframe it fixes every bar.'),
  calendar: z
    .enum([...calendars.keys()])
    .default('nyse')
    .describe("When the market trades; the dataset's own calendar must be the same."),
  start: isoDate.default('2000-01-03').describe('First day.'),
  end: isoDate.optional().describe('Last day, inclusive; default: it goes on to the present.'),
  volatility: z
    .number()
    .gt(0)
    .max(2)
    .default(0.2)
    .describe('SD of the log return of a year, over both regimes.'),
  momentum: momentum.default(0),
  change: z
    .strictObject({
      at: isoDate.describe('First day of the new behaviour.'),
      momentum: momentum
        .optional()
        .describe('A change that can be learnt: what past returns say about the next one.'),
      noise: z
        .number()
        .min(0.1)
        .max(10)
        .default(1)
        .describe(
          'Wicks and swings of volume x this: inputs change, but not what they say about returns.',
        ),
      volatility: z.number().min(0.1).max(10).default(1).describe('Volatility x this.'),
    })
    .optional()
    .describe('A planted change; bars before it are the same bits as without it.'),
  standIn: z
    .boolean()
    .default(false)
    .describe('Instruments of any name, for a substitute of a market whose sources have nothing.'),
  pageBars: z.int().min(1).max(1_000_000).default(20_000).describe('Bars in a page.'),
});

export type SimulatedParams = z.infer<typeof simulatedParams>;

export const simulated = defineSource({
  name: 'simulated',
  docs:
    'Seeded simulated bars of any instrument SIM-..., daily or hourly: calm and turbulent regimes, volatility ' +
    'clusters, heavy tails, optionally something to learn and a change of it. The same settings give the same bits.',
  params: simulatedParams,
  columns: ['volume', 'value'],
  declaredDelayMs: 0,
  simulated: true,
  load: () => import('./simulated.impl.ts'),
});
