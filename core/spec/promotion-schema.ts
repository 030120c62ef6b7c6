import { z } from 'zod';
import { MIN_INDEPENDENT } from '../metrics/comparison.ts';
import { DEFAULT_GUARDS } from '../policies/trial.ts';
import { nameSchema } from './names.ts';

const minIndependent = z
  .int()
  .min(MIN_INDEPENDENT)
  .max(10_000)
  .default(MIN_INDEPENDENT)
  .describe('Settled rows, counted in longest horizons, before the trial may decide.');
const maxDays = z
  .int()
  .min(1)
  .max(2000)
  .default(60)
  .describe('Sessions (24x7: days) after which an undecided trial ends and the champion stays.');
const share = z.number().gt(0).lt(1);

const guardsSchema = z.strictObject({
  maxErrorShare: z
    .number()
    .min(0)
    .max(1)
    .default(DEFAULT_GUARDS.maxErrorShare)
    .describe("Share of the challenger's answers that may fail."),
  maxAbstainShare: z
    .number()
    .min(0)
    .max(1)
    .default(DEFAULT_GUARDS.maxAbstainShare)
    .describe("Share of the challenger's answers that may abstain beyond the champion's share."),
  maxLatencyRatio: z
    .number()
    .min(1)
    .max(1000)
    .default(DEFAULT_GUARDS.maxLatencyRatio)
    .describe("The challenger's 95th percentile of latency as a multiple of the champion's."),
});

/** What stands between an accepted challenger and its promotion. */
export const trialSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('shadow'), minIndependent, maxDays }),
  z.strictObject({
    kind: z.literal('canary'),
    minIndependent,
    maxDays,
    steps: z
      .array(share)
      .min(1)
      .max(10)
      .refine((s) => s.every((x, i) => i === 0 || x > s[i - 1]!), 'steps must increase')
      .default([0.05, 0.25, 0.5])
      .describe('Shares of the traffic that the challenger answers, one step after the other.'),
    stepDays: z
      .int()
      .min(1)
      .max(250)
      .default(2)
      .describe('Sessions (24x7: days) that each step lasts.'),
    guards: guardsSchema.prefault({}).describe('Limits; beyond one of them the canary is aborted.'),
  }),
  z.strictObject({
    kind: z.literal('manual'),
    maxDays: z
      .int()
      .min(1)
      .max(365)
      .default(14)
      .describe('Days of wall time that it waits for `approve`; then the champion stays.'),
  }),
]);
export type TrialSpec = z.output<typeof trialSchema>;

export const promotionSchema = z.strictObject({
  policy: nameSchema.default('beats-champion').describe('Rule that decides on a promotion.'),
  alpha: z
    .number()
    .gt(0)
    .lt(0.5)
    .default(0.05)
    .describe('Chance of a false promotion over all tries against one champion.'),
  margin: z
    .number()
    .gt(0)
    .max(0.1)
    .optional()
    .describe(
      "Policy freshness only (default 0.02): share of the champion's loss that a fresher model may lose more.",
    ),
  floor: z
    .number()
    .gt(0)
    .max(0.5)
    .optional()
    .describe(
      'Policy thompson only (default 0.1): least share of the traffic that either arm keeps.',
    ),
  requireSkill: z
    .boolean()
    .default(false)
    .describe('Refuse a first champion that does not beat the naive baseline.'),
  guarantee: z
    .enum(['asymptotic', 'strict'])
    .default('asymptotic')
    .describe(
      "Sequential test of a trial's rows: asymptotic (confidence sequence) or strict (e-values; less power).",
    ),
  trial: trialSchema.default({ kind: 'none' }).describe('Trial before a promotion.'),
});
