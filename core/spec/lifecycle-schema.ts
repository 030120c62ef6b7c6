import { z } from 'zod';
import { cutsSchema } from '../signals/index.ts';
import { strategySpecSchema } from '../strategies/index.ts';
import { splitSchema } from '../splits/index.ts';

/** Which rows the served fit is repeated on after the evaluation. */
export const refitSchema = z.enum(['none', 'trainValid', 'all']);
export type Refit = z.output<typeof refitSchema>;

export const retrainSchema = z.strictObject({
  every: z
    .int()
    .min(1)
    .max(2000)
    .optional()
    .describe('Sessions (24x7: days) of market time from one retrain to the next; absent: never.'),
  cooldown: z
    .int()
    .min(0)
    .max(2000)
    .default(21)
    .describe('Sessions after a retrain in which only the cadence begins another.'),
  maxAge: z
    .int()
    .min(1)
    .max(2000)
    .default(126)
    .describe('Sessions of market time after which a trained model no longer counts as fitting.'),
  budgetMinutes: z
    .int()
    .min(1)
    .max(1440)
    .default(120)
    .describe('Minutes of training a day that retrains of the model may use.'),
  split: splitSchema
    .optional()
    .describe("Of retrains; default: the spec's own if recent, else recent of the same sizes."),
  refit: refitSchema
    .default('all')
    .describe('Of retrains: the newest regime is learnt, and judged in a trial.'),
});

export const monitorSchema = z.strictObject({
  every: z.int().min(1).max(250).default(1).describe('Sessions from one drift report to the next.'),
  window: z
    .union([z.literal('auto'), z.int().min(30).max(20_000)])
    .default('auto')
    .describe('Newest bars that are compared with the history; auto: by the timeframe.'),
  schedule: z
    .enum(['on', 'off'])
    .default('on')
    .describe('on: reports come by themselves; off: only when asked for (replays).'),
});

export const servingSchema = z.strictObject({
  fallback: z
    .enum(['naive', 'none'])
    .default('naive')
    .describe('What answers when the model cannot.'),
  strategy: strategySpecSchema
    .optional()
    .describe(
      'What `signals` recommends by: a strategy that asks the model always does, with the answers of the version that serves; one without a model where the model cannot answer. Default: the model, else a rule of thumb.',
    ),
  expiresAfter: z
    .int()
    .min(1)
    .max(250)
    .default(3)
    .describe('Newest bar more than this many bars behind the calendar: the answer is `stale`.'),
  abstain: z
    .boolean()
    .default(false)
    .describe('Abstain where the inputs are unlike all training rows or confidence is too low.'),
  minConfidence: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe('Least confidence of an answer that does not abstain; needs `abstain: true`.'),
  recommendation: cutsSchema
    .optional()
    .describe(
      'Scores at which signals change; default .15 and .35 (p(buy) - p(sell)), of a label without sell .4 and 1.',
    ),
});
