/** `evaluation.json`: what was found out about one version on rows that nothing was fitted or chosen on. */
import { z } from 'zod';
import { dataFactsSchema } from './data-facts.ts';
import { searchFactsSchema } from './search-facts.ts';
import { SLICE_KINDS } from './slice-kinds.ts';

/** A figure; null where it is not defined (never NaN: JSON has none). */
const figure = z.number().nullable();

export const intervalSchema = z.object({
  value: figure,
  /** 95 % percentile interval of the circular block bootstrap. */
  low: figure,
  high: figure,
  tooFewBlocks: z.boolean(),
});

export const powerSchema = z
  .object({ reduction2: z.number(), reduction5: z.number(), atLeast: z.boolean() })
  .nullable();

/** A loss comparison against something named, as `compareLosses` found it. */
export const comparisonSchema = z.object({
  /** `champion`, `naive`, `training mean`, or a baseline's family. */
  against: z.string(),
  /** Of the champion. */
  version: z.int().nullable(),
  status: z.enum(['tested', 'insufficientEvidence', 'notFinite']),
  rows: z.int(),
  horizon: z.int(),
  independent: z.number(),
  otherLoss: figure,
  challengerLoss: figure,
  meanDifference: figure,
  /** Share of the other's loss that the challenger saves, mean over seeds. */
  relativeDifference: figure,
  /** Interval of the served seed's relative difference. */
  servedRelativeDifference: intervalSchema,
  /** mean(other's loss - served seed's loss); positive: the served seed is better. */
  servedMeanDifference: figure,
  seeds: z.int(),
  seedVariance: figure,
  test: z
    .object({
      terms: z.int(),
      statistic: z.number(),
      degreesOfFreedom: z.number(),
      p: z.number(),
    })
    .nullable(),
  dieboldMariano: z.object({ statistic: z.number(), p: z.number() }).nullable(),
  power: powerSchema,
  /** Scale of a difference, for the strict test of a trial (core/metrics/e-value.ts); null: none. */
  clipScale: figure.optional(),
});

export const forecasterSchema = z.object({
  /** `model`, `naive`, `training mean`, a baseline's family, or `champion`. */
  name: z.string(),
  kind: z.enum(['model', 'reference', 'baseline', 'champion']),
  /** sum_h w_h e_h^2 / var_train(h), of classes sum_h w_h (-ln p_h); mean over time stamps. */
  weightedLoss: intervalSchema,
  byHorizon: z.array(
    z.object({
      horizon: z.int(),
      /** By the names of the metric catalogue. */
      metrics: z.record(z.string(), intervalSchema),
    }),
  ),
});

export const skillSchema = z.object({
  reference: z.string(),
  /** 1 - loss(model) / loss(reference), of the weighted loss. */
  overall: intervalSchema,
  byHorizon: z.array(z.object({ horizon: z.int(), skill: intervalSchema })),
});

export const seedSchema = z.object({
  seed: z.int(),
  served: z.boolean(),
  bestValidLoss: figure,
  /** Null, as the validation loss, of weights that no validation part chose: a refit's, or a mean's. */
  bestEpoch: z.int().nullable(),
  epochsRun: z.int().nullable(),
  weightsDigest: z.string(),
  weightedLoss: figure,
  skillVsNaive: figure,
  /** By horizon; empty of labels with classes. */
  rmse: z.array(figure),
  /** By horizon, of labels with classes. */
  logLoss: z.array(figure).optional(),
});

/** A slice of the test rows; skill and score are null with fewer than 20 independent horizons. */
export const sliceSchema = z.object({
  by: z.enum(SLICE_KINDS),
  name: z.string(),
  rows: z.int(),
  timeStamps: z.int(),
  independent: z.number(),
  loss: figure,
  referenceLoss: figure,
  skill: intervalSchema.nullable(),
  score: intervalSchema.nullable(),
});

const slicesSchema = z.object({
  /** Whom skill is measured against. */
  reference: z.string(),
  /** Name of the score, and the horizon that it is of where a slice has several. */
  metric: z.string(),
  scoreHorizon: z.int(),
  /** Slices by kind that were too many to report. */
  left: z.partialRecord(z.enum(SLICE_KINDS), z.int()),
  slices: z.array(sliceSchema),
});

/** The served seed's answers (most probable class) and probabilities at one horizon. */
export const classFigureSchema = z.object({
  horizon: z.int(),
  /** Rows by [class that came][class answered]; null where a probability is not a number. */
  confusion: z.array(z.array(z.int())).nullable(),
  answers: z
    .object({
      accuracy: z.number(),
      balancedAccuracy: z.number(),
      /** Always answering the class that came most often in the test part. */
      majority: z.object({ name: z.string(), accuracy: z.number() }),
      /** Accuracy less the majority's. */
      gain: intervalSchema,
      beatsBaseline: z.enum(['beats', 'notProved', 'no']),
      /** Classes that are never answered. */
      never: z.array(z.string()),
    })
    .nullable(),
  /** Reliability curve of each class: mean stated probability and share that came, in ten equal bins. */
  calibration: z.array(
    z.object({
      name: z.string(),
      bins: z.array(z.object({ stated: z.number(), observed: z.number(), rows: z.int() })),
    }),
  ),
});

const partSchema = z.object({
  samples: z.int(),
  /** Decision times: fewer than samples where instruments are pooled. Absent in earlier releases. */
  times: z.int().optional(),
  from: z.string(),
  to: z.string(),
});

/** Rows of a version judged again, on one side of the end of its own test part. */
const againPartSchema = z.object({
  part: z.enum(['own', 'after']),
  /** Whom skill is measured against. */
  reference: z.string(),
  rows: z.int(),
  timeStamps: z.int(),
  independent: z.number(),
  weightedLoss: figure,
  referenceLoss: figure,
  skill: figure,
  /** Of the skill; null with fewer than 20 independent outcomes. */
  interval: intervalSchema.nullable(),
});

export const evaluationSchema = z.object({
  format: z.literal(1),
  model: z.string(),
  family: z.string(),
  /** Of an ensemble with registered versions: what it is made of, in words. */
  members: z.array(z.string()).optional(),
  codeVersion: z.string(),
  data: dataFactsSchema,
  split: z.object({
    train: partSchema,
    valid: partSchema,
    test: partSchema,
    /** Open time of the last bar whose label was used by train or valid. */
    trainedThrough: z.string(),
  }),
  /** Of several folds, in order of their test parts, the newest last: `split` is the newest, `rows` are of all. */
  folds: z
    .array(
      z.object({
        train: partSchema,
        valid: partSchema,
        test: partSchema,
        trainedThrough: z.string(),
        /** Its fit has seen bars after its test part. */
        learntLater: z.boolean(),
        /** Of what is served, and of the reference that it has to beat. */
        weightedLoss: figure,
        referenceLoss: figure,
        skill: figure,
        /** Of the skill; null with fewer than 20 independent outcomes. */
        interval: intervalSchema.nullable(),
        /** Weighted loss of each seed. */
        seedLosses: z.array(figure),
      }),
    )
    .optional(),
  /** Where the served weights were fitted once more after this evaluation: then it is that of their twin. */
  refit: z
    .object({
      part: z.enum(['trainValid', 'all']),
      /** Samples that the served weights are fitted on. */
      samples: z.int(),
      /** Of them, those that lie after the twin's last training sample. */
      newer: z.int(),
      /** Open time of the last bar whose label the refit used. */
      trainedThrough: z.string(),
    })
    .optional(),
  /** Where a version that existed was judged again, on rows that came after all it knows: outcomes known by `asOf`. */
  again: z
    .object({
      version: z.int(),
      asOf: z.string(),
      /** It served the model when that was asked for; null: not known. Absent, as all below, in earlier releases. */
      serving: z.boolean().nullable().optional(),
      /** Decisions that the caller chose; null: no bound. */
      chosen: z.object({ from: z.string().nullable(), to: z.string().nullable() }).optional(),
      /** Weights that answered: those of its own evaluation, or those fitted once more after it. */
      weights: z.enum(['trained', 'refitted']).optional(),
      /** Of a mean of several fits: their seeds. */
      seeds: z.array(z.int()).optional(),
      /** Rows of its own test part, by whose figures it was chosen, and rows after it. */
      parts: z.array(againPartSchema).optional(),
    })
    .optional(),
  /** Where a search chose the hyperparameters. */
  search: searchFactsSchema.optional(),
  rows: z.object({
    rows: z.int(),
    timeStamps: z.int(),
    longestHorizon: z.int(),
    independent: z.number(),
    /** sha256 over the times and labels of the test rows. */
    digest: z.string(),
  }),
  lossWeights: z.array(z.number()),
  forecasters: z.array(forecasterSchema),
  skill: z.array(skillSchema),
  /** Of labels with classes, by horizon. Absent in earlier releases. */
  classFigures: z.array(classFigureSchema).optional(),
  /** Absent in earlier releases. */
  slices: slicesSchema.optional(),
  /** Of the served seed, by horizon; of families that can say how much a feature took part. */
  importance: z
    .array(
      z.object({
        horizon: z.int(),
        /** Features that took part at all. */
        used: z.int(),
        /** The first of them, by their share of the total gain. */
        features: z.array(z.object({ name: z.string(), share: z.number(), splits: z.number() })),
      }),
    )
    .optional(),
  seeds: z.array(seedSchema),
  servedSeed: z.int(),
  /** Where not the served seed alone is served, but the mean of all seeds: then `model` is that mean. */
  serve: z.literal('seedEnsemble').optional(),
  /** Mean and SD (ddof 1, null for one seed) of the weighted loss over seeds. */
  seedSpread: z.object({ mean: figure, sd: figure }),
  bestBaseline: z.string(),
  comparisons: z.array(comparisonSchema),
  champion: z
    .object({ version: z.int(), trainedThrough: z.string(), commonRows: z.int() })
    .nullable(),
  beatsNaive: z.boolean(),
  beatsTrainingMean: z.boolean(),
  verdict: z.string(),
  tries: z.object({ k: z.int(), alpha: z.number(), level: z.number() }),
  power: powerSchema,
  notTested: z.array(z.string()),
  warnings: z.array(z.string()),
});

export type Evaluation = z.infer<typeof evaluationSchema>;
export type EvaluatedComparison = z.infer<typeof comparisonSchema>;
export type Forecaster = z.infer<typeof forecasterSchema>;

/** Reads `evaluation.json`; throws a ZodError that names what does not fit. */
export function parseEvaluation(bytes: Uint8Array): Evaluation {
  return evaluationSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
}

/** JSON's number: null for NaN and infinities. */
export function figureOf(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
