import { z } from 'zod';
import { TIMEFRAMES } from '../bars/bars.ts';

/** Names of models, datasets and instruments: what may stand in ids, paths and URLs. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;
export const INSTRUMENT_PATTERN = /^[A-Za-z0-9^][A-Za-z0-9^._=-]{0,31}$/;
const name = z
  .string()
  .regex(NAME_PATTERN, 'lower case letters, digits, ".", "_", "-"; 63 at most');
const modelName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]*(\{instrument\})?[a-z0-9._-]*$/, 'a name, or "prefix-{instrument}"')
  .max(63);
const instrumentId = z.string().regex(INSTRUMENT_PATTERN, 'an instrument id such as ^GSPC');
const isoDate = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'a date, YYYY-MM-DD');

export const instrumentSchema = z.union([
  instrumentId.transform((id) => ({ id })),
  z.strictObject({ id: instrumentId, from: isoDate.optional(), to: isoDate.optional() }),
]);

export const sourceUseSchema = z.strictObject({
  dataset: name
    .describe('A dataset that the operator (or the bundle) defines, or upload:SHA256.')
    .or(z.string().regex(/^upload:[0-9a-f]{64}$/)),
  role: z.enum(['primary', 'fallback', 'exogenous']).default('primary'),
});

export const dataSchema = z.strictObject({
  sources: z.array(sourceUseSchema).min(1).max(8),
  instruments: z.array(instrumentSchema).min(1).max(64),
  timeframe: z.enum(TIMEFRAMES).default('1d'),
  from: isoDate.optional().describe('First session used; default: all there is.'),
  to: isoDate.optional().describe('Last session used (inclusive); default: the newest closed bar.'),
  missing: z.enum(['ffill', 'zero', 'drop']).default('ffill'),
  recollect: z.boolean().default(false).describe('Collect again even within 24 hours.'),
});

export const qualitySchema = z.strictObject({
  minScore: z.number().min(0).max(1).default(0.9),
  strict: z.boolean().default(false).describe('Warnings stop the experiment too.'),
});

export const featuresSchema = z.union([
  name.transform((set) => ({ set })),
  z.strictObject({ set: name }),
]);

export const labelSchema = z.strictObject({
  kind: z.enum(['forwardLogReturn', 'forwardReturn', 'forwardPrice']).default('forwardLogReturn'),
  horizons: z
    .array(z.int().min(1).max(250))
    .min(1)
    .max(8)
    .default([7, 14, 30])
    .refine((hs) => hs.every((h, i) => i === 0 || h > hs[i - 1]!), 'horizons must increase'),
});

const autoOr = z.union([z.literal('auto'), z.int().min(0).max(1000)]).default('auto');
export const splitSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('chronological'),
    ratios: z
      .tuple([z.number().positive(), z.number().positive(), z.number().positive()])
      .refine((r) => Math.abs(r[0] + r[1] + r[2] - 1) < 1e-9, 'ratios must add up to 1')
      .default([0.7, 0.15, 0.15]),
    purge: autoOr,
    embargo: autoOr,
  }),
  z.strictObject({
    kind: z.literal('recent'),
    trainBars: z.int().min(100).max(100_000),
    validBars: z.int().min(30).max(20_000),
    testBars: z.int().min(30).max(20_000),
    purge: autoOr,
    embargo: autoOr,
  }),
]);

export const scalingSchema = z.strictObject({
  features: z.enum(['minmax', 'standard', 'none']).default('minmax'),
  labels: z.enum(['minmax', 'standard', 'none']).default('minmax'),
});

export const confidenceSchema = z.strictObject({
  method: z.enum(['directional', 'relativeStd', 'none']).default('directional'),
  samples: z.int().min(10).max(1000).default(100),
});

export const promotionSchema = z.strictObject({
  policy: name.default('beats-champion'),
  alpha: z.number().gt(0).lt(0.5).default(0.05),
  requireSkill: z
    .boolean()
    .default(false)
    .describe('Refuse a first champion that does not beat naive.'),
  trial: z
    .strictObject({ kind: z.literal('none', 'this release accepts `none` only') })
    .default({ kind: 'none' }),
});

export const servingSchema = z.strictObject({
  fallback: z.enum(['naive', 'none']).default('naive'),
  expiresAfter: z
    .int()
    .min(1)
    .max(250)
    .default(3)
    .describe('Newest bar more than this many bars behind the calendar: the answer is `stale`.'),
});

/** The experiment spec (see docs/spec.md): what a data scientist writes, and all that a run depends on. */
export const experimentSpecSchema = z.strictObject({
  name,
  model: modelName,
  fit: z.enum(['perInstrument', 'pooled']).default('perInstrument'),
  data: dataSchema,
  quality: qualitySchema.prefault({}),
  features: featuresSchema.prefault('technical-152'),
  lookback: z.int().min(1).max(512).default(60),
  label: labelSchema.prefault({}),
  split: splitSchema.prefault({ kind: 'chronological' }),
  refit: z.literal('none').default('none'),
  scaling: scalingSchema.prefault({}),
  family: name.default('lstm-multi-horizon'),
  hyperparameters: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("Checked against the family's own schema."),
  seeds: z
    .array(
      z
        .int()
        .min(0)
        .max(2 ** 31 - 1),
    )
    .min(1)
    .max(16)
    .default([1, 2, 3])
    .refine((s) => new Set(s).size === s.length, 'seeds must differ'),
  serve: z.literal('medianSeed').default('medianSeed'),
  baselines: z.array(name).max(8).default(['naive', 'ridge']),
  confidence: confidenceSchema.prefault({}),
  promotion: promotionSchema.prefault({}),
  retrain: z
    .strictObject({ maxAge: z.int().min(1).max(2000).default(126) })
    .prefault({})
    .describe('Bars of market time after which a trained model no longer counts as fitting.'),
  serving: servingSchema.prefault({}),
  forceRetrain: z.boolean().default(false),
});

export type ExperimentSpecInput = z.input<typeof experimentSpecSchema>;
/** A spec with every default filled in. */
export type ExperimentSpec = z.output<typeof experimentSpecSchema>;
