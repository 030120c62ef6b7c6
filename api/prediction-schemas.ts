/** Bodies and answers of predictions, as several routes speak of them. */
import { z } from '@hono/zod-openapi';
import { EMERGENCY_STOP } from '../core/signals/index.ts';
import { instant, instrumentId, versionNumber } from './schemas.ts';

/** Rows of `bars`: ten times the longest history that a window needs. */
export const MAX_BARS = 5_000;
/** Rows and numbers of a row of `window`. */
export const WINDOW_LIMITS = { rows: 512, columns: 1_024 } as const;

const price = z.number().positive();
export const barSchema = z.strictObject({
  openTime: instant,
  open: price,
  high: price,
  low: price,
  close: price,
  volume: z.number().min(0),
  value: z.number().min(0).optional(),
});

export const explainField = z
  .boolean()
  .default(false)
  .describe('Say what each feature contributed; some 10 ms more, and not every family can.');

/** What a prediction is computed from. */
const inputShape = {
  instrument: instrumentId
    .optional()
    .describe('May be left out where the model answers for one instrument.'),
  asOf: instant
    .optional()
    .describe('Answer as of this time of the past; a date: as of the end of that day (UTC).'),
  bars: z.array(barSchema).min(1).max(MAX_BARS).optional().describe('Bars of your own.'),
  window: z
    .array(z.array(z.number().nullable()).max(WINDOW_LIMITS.columns))
    .min(1)
    .max(WINDOW_LIMITS.rows)
    .optional()
    .describe('Features of your own, one row a bar, in the order of the package.'),
  lastClose: price.optional().describe('With `window`: the close of its last bar.'),
  openTime: instant.optional().describe('With `window`: when its last bar opens.'),
};
const inputSchema = z.strictObject(inputShape);
export type InputFields = z.infer<typeof inputSchema>;

/** What may stand beside what. */
const ruled = <S extends z.ZodType<InputFields>>(schema: S): S =>
  schema
    .refine((body) => !(body.bars && body.window), 'give bars or a window, not both')
    .refine(
      (body) => body.asOf === undefined || !(body.bars ?? body.window),
      'asOf goes with the instrument alone: bars and windows say themselves when they end',
    )
    .refine(
      (body) => !body.window || (body.lastClose !== undefined && body.openTime !== undefined),
      'a window needs lastClose and openTime',
    )
    .refine(
      (body) => body.window !== undefined || (body.lastClose ?? body.openTime) === undefined,
      'lastClose and openTime go with a window',
    );

/** One of a batch. */
export const batchItemSchema = ruled(inputSchema).openapi('BatchItem');

export const predictSchema = ruled(
  z.strictObject({
    ...inputShape,
    version: versionNumber.optional().describe('Default: the champion.'),
    confidence: z
      .enum(['mc', 'none'])
      .default('mc')
      .describe('`mc`: Monte-Carlo confidence and interval; `none`: the forecast alone.'),
    record: z.boolean().default(true).describe('Keep the prediction, to be scored later.'),
    explain: explainField,
    emergency: z
      .boolean()
      .default(false)
      .describe('Say how urgent it is to leave a long position (signals always do).'),
  }),
).openapi('Predict');

const horizonSchema = z
  .object({
    horizon: z.int(),
    targetDate: z.string(),
    price: z.number(),
    change: z.number().describe('Fraction: 0.01 = 1 %.'),
    direction: z.enum(['up', 'down', 'neutral']).describe('Beyond +-0.5 %, else neutral.'),
    confidence: z.number().nullable(),
    relativeStd: z.number().nullable(),
    probabilityUp: z.number().nullable(),
    interval80: z.array(z.number()).length(2).nullable(),
    classes: z
      .object({
        class: z.string(),
        probabilities: z.record(z.string(), z.number()),
        threshold: z.number().nullable().describe('Least move that leaves "hold"; 0.01 = 1 %.'),
      })
      .optional()
      .describe('Of models of classes: the most probable one, and the probability of each.'),
  })
  .openapi('HorizonAnswer');
const contributionSchema = z
  .object({
    horizon: z.int(),
    class: z.string().nullable().describe('Whose output it is; null of a quantity.'),
    base: z.number().describe('The output without knowing any feature.'),
    top: z.array(z.object({ feature: z.string(), contribution: z.number() })),
    rest: z.number().describe('Of all other features together.'),
    learned: z.number().describe('Of what a network in front has learnt to see; 0 without one.'),
  })
  .openapi('Contribution');

/** Of an answer that was asked to explain itself: all the numbers of an entry add up to the output. */
export const explanationSchema = z
  .object({
    unit: z.enum(['label', 'logit']).optional().describe('Of all numbers.'),
    contributions: z.array(contributionSchema).nullable(),
    reason: z.string().optional().describe('Why there are none.'),
  })
  .openapi('Explanation');

/** 0..1. */
const part = (what: string) => z.number().min(0).max(1).describe(what);

/** core/signals/emergency.ts. */
export const emergencySchema = z
  .object({
    score: part('The largest of the three parts.'),
    shock: part('The last bar fell by more standard deviations than bars do.'),
    drawdown: part('How far below its 24-bar high the close lies.'),
    probability: part('How much more probable the model holds a fall; 0 where no model says.'),
  })
  .describe(
    `How urgent it is to leave a long position: from ${EMERGENCY_STOP} on at the next open. null: the request has no ` +
      'bars, or fewer than 24.',
  )
  .openapi('Emergency');

export const answerSchema = z
  .object({
    id: z.string(),
    batchId: z.string(),
    model: z.string(),
    version: z.int(),
    packageDigest: z.string(),
    instrument: z.string(),
    asOf: z.string().describe("Open time of the window's last bar."),
    lastClose: z.number(),
    horizons: z.array(horizonSchema),
    consistency: z.number(),
    beatsNaive: z.boolean(),
    dissimilarity: z
      .number()
      .nullable()
      .describe(
        'Distance of the newest feature row to the nearest training row over the 95 % quantile of distances ' +
          'between training rows; null where the package holds no training rows.',
      ),
    outlier: z
      .boolean()
      .describe('`dissimilarity` above 1: the model was fitted on nothing like it.'),
    abstain: z
      .boolean()
      .describe(
        "The forecast is shown; the spec's rule (`serving.abstain`) says not to act on it.",
      ),
    abstainReasons: z
      .array(z.enum(['outlier', 'undecided', 'low-confidence', 'confidence-failed']))
      .describe('Empty unless `abstain`.'),
    confidenceFailed: z
      .boolean()
      .describe('Confidence was asked for and could not be computed; the forecast stands.'),
    stale: z
      .boolean()
      .describe('The newest bar is more than `serving.expiresAfter` bars behind the calendar.'),
    staleBars: z.int(),
    generation: z.int(),
    generationAgeS: z.number().describe('Seconds since the registry confirmed the champion.'),
    fallback: z
      .literal('naive')
      .nullable()
      .describe('`naive`: the model has no forecast, and this is the naive baseline.'),
    fallbackReason: z.enum(['inference-failed', 'not-finite', 'implausible']).nullable(),
    trial: z
      .object({ role: z.literal('canary'), trialId: z.string() })
      .nullable()
      .describe('Set where the challenger of a running trial answered in place of the champion.'),
    recorded: z.boolean(),
    explanation: explanationSchema.optional().describe('Where it was asked for.'),
    emergency: emergencySchema.nullable().optional(),
  })
  .openapi('Prediction');
