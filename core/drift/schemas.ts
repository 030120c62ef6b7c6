/** What drift reports and calibrations are stored as: JSON without NaN, dates in ISO. */
import { z } from 'zod';

const figure = z.number().nullable();
const time = z.iso.datetime();

/** `notEnoughHistory`: fewer than 24 earlier windows, so that no rank could reach the top 5 %. */
export const rankVerdictSchema = z.enum(['none', 'drift', 'notEnoughHistory']);
export type RankVerdict = z.output<typeof rankVerdictSchema>;

/** Why a retrain is asked for. Input drift asks only when two reports in a row found it. */
export const driftReasonSchema = z.enum(['loss', 'stale', 'input-twice']);
export type DriftReason = z.output<typeof driftReasonSchema>;

export const driftVerdictSchema = z.enum(['none', 'warn', 'drift', 'notCalibrated']);
export type DriftVerdict = z.output<typeof driftVerdictSchema>;

const span = { rows: z.int(), from: time.nullable(), to: time.nullable() };

const rowsOf = {
  window: z.object(span),
  reference: z.object(span),
  earlierWindows: z.int(),
  earlierWindowsNeeded: z.int(),
};
const rowsOfSchema = z.object(rowsOf);
export type RowsOf = z.output<typeof rowsOfSchema>;

export const columnDriftSchema = z.object({
  name: z.string(),
  kind: z.enum(['numeric', 'categorical']),
  /** Share of the window's rows without a finite value. */
  missing: z.number(),
  /** By drift test: the distance and its rank among earlier windows as p. */
  statistics: z.record(z.string(), z.object({ value: z.number(), p: z.number() })),
  /** Rank of the summed ranks as p; null where some window has no values. */
  p: figure,
  /** In the top 5 % of its own history. */
  top: z.boolean(),
});
export type ColumnDrift = z.output<typeof columnDriftSchema>;

/** The distance of one column in earlier windows and in the newest one. */
const historySchema = z.object({
  name: z.string(),
  test: z.string(),
  earlier: z.array(z.number()),
  newest: z.number(),
});

export const inputDriftSchema = z.object({
  verdict: rankVerdictSchema,
  ...rowsOf,
  /** `flagged` by Benjamini-Hochberg; null where there are too few windows for one feature to be flagged alone. */
  features: z.array(columnDriftSchema.extend({ flagged: z.boolean().nullable() })),
  /** Share of the features in the top 5 % of their own history. */
  share: figure,
  /** null: not fitted, for it was not needed or no column has numbers in every window. */
  classifier: z
    .object({
      auc: z.number(),
      /** 95 % quantile of the earlier windows' AUC. */
      limit: z.number(),
      exceeded: z.boolean(),
      columns: z.int(),
      earlier: z.array(z.number()),
    })
    .nullable(),
  histories: z.array(historySchema),
  correction: z.object({
    method: z.literal('benjamini-hochberg'),
    q: z.number(),
    /** Earlier windows from which on it is applied: features / q. */
    windowsNeeded: z.int(),
    applied: z.boolean(),
  }),
});
export type InputDrift = z.output<typeof inputDriftSchema>;

export const predictionDriftSchema = z.object({
  verdict: rankVerdictSchema,
  ...rowsOf,
  /** Rank of all horizons' distances together. */
  p: figure,
  horizons: z.array(columnDriftSchema),
  histories: z.array(historySchema),
});
export type PredictionDrift = z.output<typeof predictionDriftSchema>;

export const qualityDriftSchema = z.object({
  verdict: rankVerdictSchema,
  /** Bars of the newest window and its quality score, 1 = nothing wrong. */
  rows: z.int(),
  firstBar: z.string(),
  lastBar: z.string(),
  score: z.number(),
  /** Mean score of the earlier windows. */
  usualScore: figure,
  earlierWindows: z.int(),
  earlierWindowsNeeded: z.int(),
  /** Rank of the defects (1 - score) and of the number of rows with findings, together. */
  p: figure,
  /** Rows that a rule found something in, now and on average before. */
  findings: z.array(
    z.object({
      rule: z.string(),
      severity: z.enum(['block', 'warn']),
      rows: z.number(),
      usual: figure,
      message: z.string(),
    }),
  ),
  earlierScores: z.array(z.number()),
});
export type QualityDrift = z.output<typeof qualityDriftSchema>;

export const stalenessSchema = z.object({
  newestBar: time,
  asOf: time,
  /** Bars of the calendar that are complete by `asOf` and later than the newest bar. */
  lagBars: z.int(),
  expiresAfter: z.int(),
  /** Late data: warns; a retrain would not help. */
  dataStale: z.boolean(),
  /** End of the last label that the model learnt from; null: not on record. */
  trainedThrough: time.nullable(),
  /** Sessions from then to `asOf`. */
  ageSessions: z.int().nullable(),
  maxAge: z.int(),
  /** Older than `maxAge`: asks for a retrain. */
  modelStale: z.boolean(),
});
export type Staleness = z.output<typeof stalenessSchema>;

export const calibrationSchema = z.object({
  status: z.literal('calibrated'),
  /** Out-of-sample values that it rests on. */
  values: z.int(),
  /** Mean and SD of them: z = (u - mean0) / sd0, clipped to +-clip. */
  mean0: z.number(),
  sd0: z.number(),
  clip: z.number(),
  /** Standard error of the mean of z, from block means. */
  se: z.number(),
  /** Allowance .25 + 2 SE: what z must exceed on average before the sum grows. */
  k: z.number(),
  /** Threshold of the sum. */
  c: z.number(),
  /** Nominal probability of an alarm in an unchanged year. */
  rate: z.number(),
  /** Values in a year, in a bootstrap block, and ignored after an alarm. */
  perYear: z.int(),
  block: z.int(),
  cooldown: z.int(),
  paths: z.int(),
  seed: z.number(),
  /** Least variance that a loss is divided by; null: the values were normalised elsewhere. */
  floor: figure,
  /** Of the largest sum of each bootstrapped year: `counts[i]` lie in `edges[i]..edges[i + 1]`. */
  histogram: z.object({ edges: z.array(z.number()), counts: z.array(z.int()) }),
});
export type Calibration = z.output<typeof calibrationSchema>;

export const notCalibratedSchema = z.object({
  status: z.literal('notCalibrated'),
  values: z.int(),
  needed: z.int(),
  reason: z.string(),
});

export const calibrationResultSchema = z.discriminatedUnion('status', [
  calibrationSchema,
  notCalibratedSchema,
]);
export type CalibrationResult = z.output<typeof calibrationResultSchema>;

export const cusumStateSchema = z.object({
  s: z.number(),
  /** Values still to be ignored after an alarm. */
  cooldown: z.int(),
  /** Values read, skipped ones not counted. */
  values: z.int(),
  alarms: z.int(),
  lastTime: time.nullable(),
  lastAlarm: time.nullable(),
});
export type CusumState = z.output<typeof cusumStateSchema>;

export const cusumPointSchema = z.object({ time, s: z.number(), alarm: z.boolean() });
export type CusumPoint = z.output<typeof cusumPointSchema>;

export const driftReportSchema = z.object({
  model: z.string(),
  version: z.int(),
  asOf: time,
  verdict: driftVerdictSchema,
  /** What may start a retrain, if the model's retrain rule lets it. */
  signals: z.array(driftReasonSchema),
  /** The report in plain sentences; the first one is the verdict. */
  words: z.array(z.string()),
  /** All instruments together; the next report needs it to tell "twice". */
  inputVerdict: rankVerdictSchema,
  previousInputVerdict: rankVerdictSchema.nullable(),
  /** How many figures were looked at, and what keeps chance from speaking. */
  correction: z.string(),
  performance: z
    .object({
      /** One value a bar, or a day's mean. */
      unit: z.enum(['bar', 'day']),
      calibration: calibrationResultSchema,
      state: cusumStateSchema,
      path: z.array(cusumPointSchema),
      /** Since the report before. */
      alarms: z.array(time),
      /** A forecast that cannot become worse, watched in the same way: is it the market rather than the model? */
      reference: z
        .object({ name: z.string(), c: z.number(), path: z.array(cusumPointSchema) })
        .optional(),
    })
    .nullable(),
  inputs: z.array(z.object({ instrument: z.string(), drift: inputDriftSchema })),
  predictions: z.array(z.object({ instrument: z.string(), drift: predictionDriftSchema })),
  quality: z.array(z.object({ instrument: z.string(), drift: qualityDriftSchema })),
  staleness: z.array(z.object({ instrument: z.string(), staleness: stalenessSchema })),
});
export type DriftReport = z.output<typeof driftReportSchema>;
