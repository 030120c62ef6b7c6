import { z } from 'zod';
import { TIMEFRAMES } from '../bars/bars.ts';
import { MISSING_POLICIES, type MissingPolicy } from '../bars/index.ts';
import { isDay } from '../calendar/day.ts';
import { labelSchema } from '../labels/index.ts';
import {
  COLUMNS_MAX,
  featureEntrySchema,
  type FeatureChoice,
  type FeatureDeclaration,
  LEVELS,
} from '../features/index.ts';
import { MODEL_TEMPLATE, MODEL_TEMPLATE_RULE } from '../models/registered.ts';
import { outlierRuleSchema, SCALER_KINDS } from '../scaling/index.ts';
import { monitorSchema, refitSchema, retrainSchema, servingSchema } from './lifecycle-schema.ts';
import { INSTRUMENT_PATTERN, nameSchema } from './names.ts';
import { packageSchema } from './package-schema.ts';
import { promotionSchema } from './promotion-schema.ts';
import { tuneSchema } from './tune-schema.ts';
import { splitSchema } from '../splits/index.ts';

export { INSTRUMENT_PATTERN, NAME_PATTERN } from './names.ts';

const name = nameSchema;
const modelName = z.string().regex(MODEL_TEMPLATE, MODEL_TEMPLATE_RULE).max(63);
const instrumentId = z.string().regex(INSTRUMENT_PATTERN, 'an instrument id such as ^GSPC');
/** An instant; any offset is read and written back as UTC, so that one instant has one spelling. */
const isoInstant = z.iso
  .datetime({ offset: true, error: 'an instant, such as 2024-05-01T00:00:00Z' })
  .transform((text) => new Date(text).toISOString());
const isoDate = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, { error: 'a date, YYYY-MM-DD', abort: true })
  .refine(isDay, { error: ({ input }) => `no day ${String(input)}` });

const missingPolicy = z.enum(MISSING_POLICIES);

export const instrumentSchema = z.union([
  instrumentId.transform((id): { id: string; missing?: MissingPolicy } => ({ id })),
  z.strictObject({
    id: instrumentId,
    from: isoDate.optional(),
    to: isoDate.optional(),
    missing: missingPolicy
      .exactOptional()
      .describe('Where its policy for missing bars is not `data.missing`.'),
  }),
]);

export const sourceUseSchema = z.strictObject({
  dataset: name
    .or(z.string().regex(/^upload:[0-9a-f]{64}$/))
    .describe('A dataset that the operator (or the bundle) defines, or upload:SHA256.'),
  role: z
    .enum(['primary', 'fallback', 'substitute', 'exogenous'])
    .default('primary')
    .describe(
      'primary delivers the bars, fallback where no primary does, substitute all of them where neither has any, exogenous adds columns.',
    ),
});

export const dataSchema = z.strictObject({
  sources: z
    .array(sourceUseSchema)
    .min(1)
    .max(8)
    .describe('Where bars come from, by name; places are defined by the operator.'),
  instruments: z
    .array(instrumentSchema)
    .min(1)
    .max(64)
    .describe(
      'Instruments, by id or with a range or policy of their own: { id: GOOG, from: 2014-04-03, missing: drop }.',
    ),
  timeframe: z.enum(TIMEFRAMES).default('1d').describe('Length of a bar.'),
  from: isoDate.optional().describe('First session used; default: all there is.'),
  to: isoDate.optional().describe('Last session used (inclusive); default: the newest closed bar.'),
  asOf: isoInstant
    .optional()
    .describe('Only bars that were complete and known by this instant; default: now.'),
  missing: missingPolicy
    .default('ffill')
    .describe(
      'A missing bar: ffill repeats the last close and volume, zero has volume 0, drop leaves a hole.',
    ),
  // Without a default: specs of before there was one keep their hash.
  missingHead: z
    .enum(['bfill', 'drop'])
    .exactOptional()
    .describe(
      'A value missing before the first one: bfill takes that one, only in the warm-up that no sample uses (the default); drop leaves such bars out.',
    ),
  recollect: z.boolean().default(false).describe('Collect again even within 24 hours.'),
});

export const qualitySchema = z.strictObject({
  minScore: z.number().min(0).max(1).default(0.9).describe('Least quality score of the bars.'),
  strict: z.boolean().default(false).describe('Warnings stop the experiment too.'),
});

export const featuresSchema = z.union([
  name.transform((set): FeatureChoice => ({ set })),
  z.strictObject({
    set: name,
    levels: z
      .enum(LEVELS)
      .exactOptional()
      .describe('Units of prices and volumes, where the set has such levels; default: relative.'),
  }),
  z
    .array(featureEntrySchema)
    .min(1)
    .max(COLUMNS_MAX)
    .transform((columns): FeatureDeclaration => ({ columns })),
  z.strictObject({ columns: z.array(featureEntrySchema).min(1).max(COLUMNS_MAX) }),
]);

export const scalingSchema = z.strictObject({
  features: z
    .enum(SCALER_KINDS)
    .default('minmax')
    .describe(
      'Scaler of the features, fitted on the training part only; robust: median and quartiles.',
    ),
  labels: z
    .enum(SCALER_KINDS)
    .default('minmax')
    .describe('Scaler of each label, fitted on the training part only.'),
  per: z
    .enum(['unit', 'instrument'])
    .optional()
    .describe(
      'Of a pooled fit: one scaler for all, or one an instrument, in the graph too; default: instrument. Families that need no scaling read raw values.',
    ),
});

export const trainingSchema = z.strictObject({
  outliers: z
    .strictObject({
      features: outlierRuleSchema
        .default('none')
        .describe(
          'none, { kind: winsorize, lower, upper } (quantiles) or { kind: clipSd, sds }: fitted on the training part, ' +
            'part of the scaler, so that served values are treated the same.',
        ),
      labels: outlierRuleSchema
        .default('none')
        .describe('The same of the labels that a fit sees; evaluation takes labels as they came.'),
    })
    .prefault({})
    .describe('What is done to values far from the others.'),
});

export const confidenceSchema = z.strictObject({
  method: z
    .enum(['directional', 'relativeStd', 'probability', 'none'])
    .default('directional')
    .describe(
      'directional: calibrated share of Monte-Carlo samples; relativeStd: needs minmax labels; probability: of labels ' +
        'with classes, and their default.',
    ),
  samples: z.int().min(10).max(1000).default(100).describe('Monte-Carlo samples a prediction.'),
});

/** The experiment spec (see docs/spec.md): what a data scientist writes, and all that a run depends on. */
export const experimentSpecSchema = z.strictObject({
  name: name.describe('Name of the experiment.'),
  model: modelName.describe(
    'Registered model its version competes for; with several instruments fitted one by one "prefix-{instrument}".',
  ),
  fit: z
    .enum(['perInstrument', 'pooled'])
    .default('perInstrument')
    .describe('One model an instrument, or one for all.'),
  data: dataSchema.describe('Bars.'),
  quality: qualitySchema.prefault({}).describe('What bars must be worth to train on.'),
  features: featuresSchema
    .prefault('technical-152')
    .describe(
      'Feature set, by name or as { set, levels }, or a list of columns: { indicator: rsi, period: 14 }.',
    ),
  lookback: z.int().min(1).max(512).default(60).describe('Bars in a window.'),
  label: labelSchema.prefault({}).describe('What is forecast.'),
  split: splitSchema
    .prefault({ kind: 'chronological' })
    .describe('Train, valid and test, in order of time, purged.'),
  refit: refitSchema
    .default('none')
    .describe(
      'Rows the served fit is repeated on once it is evaluated: none, trainValid (without the test part), all.',
    ),
  scaling: scalingSchema.prefault({}).describe('Scalers.'),
  training: trainingSchema
    .exactOptional()
    .describe('What a fit does to its training rows; default: nothing.'),
  family: name.default('lstm-multi-horizon').describe('Model family, by name.'),
  hyperparameters: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("Checked against the family's own schema."),
  continueFrom: z
    .union([z.literal('champion'), z.strictObject({ version: z.int().min(1) })])
    .exactOptional()
    .describe(
      'The fits begin where a version of the model ended, in its scalers: `champion` (of the moment the experiment is ' +
        'made; anew where there is none, and in every retrain the champion of then), or `{ version }`. Its labels must ' +
        'end before the test part. Default: anew.',
    ),
  tune: tuneSchema
    .optional()
    .describe(
      'Searches hyperparameters before the fits of `seeds`, on train and valid only; absent: none.',
    ),
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
    .refine((s) => new Set(s).size === s.length, 'seeds must differ')
    .describe('One fit each: a gate compares distributions, not one lucky run.'),
  serve: z
    .enum(['medianSeed', 'seedEnsemble'])
    .default('medianSeed')
    .describe(
      'medianSeed: the seed with the median validation loss, never the best; seedEnsemble: the mean of all seeds, in one graph.',
    ),
  baselines: z
    .array(name)
    .max(8)
    .default(['naive', 'ridge'])
    .describe(
      'Families fitted beside, with their defaults, to compare with; of a label with classes: majority and logistic.',
    ),
  confidence: confidenceSchema.prefault({}).describe('How sure an answer is.'),
  package: packageSchema
    .exactOptional()
    .describe('Smaller and faster graphs, where they are as good; default: as trained.'),
  promotion: promotionSchema.prefault({}).describe('When the version becomes champion.'),
  retrain: retrainSchema.prefault({}).describe('When the model is trained again, and how.'),
  monitor: monitorSchema.prefault({}).describe('Drift reports.'),
  serving: servingSchema.prefault({}).describe('How the version answers.'),
  forceRetrain: z.boolean().default(false).describe('Train even where a fitting version exists.'),
});

export type ExperimentSpecInput = z.input<typeof experimentSpecSchema>;
/** A spec with every default filled in. */
export type ExperimentSpec = z.output<typeof experimentSpecSchema>;
