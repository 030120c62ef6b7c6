import { z } from 'zod';
import { MISSING_POLICIES } from '../bars/index.ts';
import { COLUMNS_MAX, featureEntrySchema } from '../features/index.ts';
import { scalersSchema } from '../features/prepared-codec.ts';
import { outlierRecordSchema } from '../scaling/index.ts';
import type { CompressionFacts } from './compression.ts';
import type { GoldenProbes, Manifest, Preprocessing, StoredOutliers } from './manifest.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const names = z.array(z.string()).min(1);
const horizons = z.array(z.int().min(1)).min(1);
const label = z.strictObject({
  kind: z.string(),
  horizons,
  params: z.record(z.string(), z.unknown()).exactOptional(),
});
const byClass = z.array(z.array(z.number()).min(2)).min(1);
const text = z.record(z.string(), z.string());

const both = z.strictObject({ trained: z.number(), smaller: z.number() });
const compressionSchema: z.ZodType<CompressionFacts> = z.strictObject({
  asked: z.strictObject({
    quantize: z.enum(['none', 'dynamic']),
    prune: z.strictObject({ sparsity: z.number() }).exactOptional(),
    tolerance: z.number(),
  }),
  status: z.enum(['accepted', 'rejected', 'notApplicable']),
  steps: z.array(
    z.strictObject({
      what: z.enum(['prune', 'quantize']),
      status: z.enum(['applied', 'notApplicable']),
      words: z.string(),
    }),
  ),
  measured: z
    .strictObject({
      windows: z.int().min(1),
      loss: both,
      difference: z.number(),
      bytes: both,
      deflatedBytes: both,
      milliseconds: both,
    })
    .exactOptional(),
});

export const manifestSchema: z.ZodType<Manifest> = z.strictObject({
  format: z.literal(1),
  model: z.string(),
  version: z.int().min(1),
  family: z.string(),
  instruments: names,
  timeframe: z.string(),
  featureSet: z.string(),
  featureHash: z.string(),
  featureColumns: z.array(featureEntrySchema).min(1).max(COLUMNS_MAX).exactOptional(),
  label,
  lookback: z.int().min(1),
  datasetHash: z.string(),
  specHash: z.string(),
  seed: z.int(),
  seeds: z.array(z.int()).min(2).exactOptional(),
  weightsDigest: z.string(),
  trainedThrough: z.iso.datetime(),
  refit: z
    .strictObject({
      part: z.enum(['trainValid', 'all']),
      samples: z.int().min(1),
      newer: z.int().min(0),
      twin: z.strictObject({ weightsDigest: z.string(), trainedThrough: z.iso.datetime() }),
    })
    .exactOptional(),
  members: z
    .array(
      z.union([
        z.strictObject({
          family: z.string(),
          model: z.string(),
          version: z.int().min(1),
          weightsDigest: z.string(),
        }),
        z.strictObject({ family: z.string() }),
      ]),
    )
    .min(2)
    .exactOptional(),
  compression: compressionSchema.exactOptional(),
  workflowId: z.string(),
  codeVersion: z.string(),
  libraries: text,
  createdAt: z.iso.datetime(),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.int().min(0), sha256: digest })),
});

const isotonic = z
  .strictObject({ x: z.array(z.number()).min(1), y: z.array(z.number()).min(1) })
  .refine(({ x, y }) => x.length === y.length, 'x and y differ in length');

export const preprocessingSchema: z.ZodType<Preprocessing> = z
  .strictObject({
    featureSet: z.string(),
    featureNames: names,
    lookback: z.int().min(1),
    label,
    classes: z.strictObject({ priors: byClass, changes: byClass }).exactOptional(),
    scalers: scalersSchema,
    instrumentScalers: z.array(scalersSchema).min(2).exactOptional(),
    trainingOutliers: outlierRecordSchema.exactOptional(),
    missing: z.enum(MISSING_POLICIES),
    missingBy: z.record(z.string(), z.enum(MISSING_POLICIES)).exactOptional(),
    missingHead: z.literal('drop').exactOptional(),
    calendar: z.string(),
    timeframe: z.enum(['1h', '1d']),
    expiresAfter: z.int().min(1),
    fallback: z.enum(['naive', 'none']),
    confidence: z.strictObject({
      method: z.enum(['directional', 'relativeStd', 'probability', 'none']),
      samples: z.int().min(0),
      noiseWidth: z.int().min(0),
      byHorizon: z.array(
        z.strictObject({
          directional: isotonic,
          probabilityUp: isotonic,
          intervalQuantile: z.number().min(0),
          minSd: z.number().min(0),
        }),
      ),
    }),
    plausible: z
      .strictObject({
        sds: z.number().positive(),
        byHorizon: z.array(z.strictObject({ low: z.number(), high: z.number() })),
      })
      .exactOptional(),
    abstain: z
      .strictObject({ minConfidence: z.number().min(0).max(1).exactOptional() })
      .exactOptional(),
    recommendation: z
      .strictObject({ buy: z.number().positive(), strongBuy: z.number().positive() })
      .exactOptional(),
    beatsNaive: z.boolean(),
  })
  .refine((p) => p.scalers.features.offset.length === p.featureNames.length, 'feature scaler')
  .refine(
    (p) =>
      p.confidence.method === 'none' || p.confidence.byHorizon.length === p.label.horizons.length,
    'one calibration per horizon',
  )
  .refine(
    (p) => !p.classes || p.classes.priors.length === p.label.horizons.length,
    'class shares per horizon',
  )
  .refine(
    (p) => !p.plausible || p.plausible.byHorizon.length === p.label.horizons.length,
    'one plausible range per horizon',
  );

const rows = z.array(z.array(z.number()));

export const goldenSchema: z.ZodType<GoldenProbes> = z.strictObject({
  windows: z.base64(),
  close: z.array(z.number()).min(1),
  instrument: z.array(z.int().min(0)).exactOptional(),
  expected: rows.min(1),
  tolerance: z.number().positive(),
  labelSd: z.array(z.number()),
  monteCarlo: z.strictObject({ noiseKey: z.string(), expected: rows }).exactOptional(),
});

export const outliersSchema: z.ZodType<StoredOutliers> = z
  .strictObject({
    offset: z.array(z.number()).min(1),
    factor: z.array(z.number()).min(1),
    points: z.base64(),
    threshold: z.number().positive(),
    quantile: z.number().gt(0).lt(1),
    apartBars: z.int().min(1),
    trainRows: z.int().min(2),
  })
  .refine((o) => o.offset.length === o.factor.length, 'offset and factor differ in length');
