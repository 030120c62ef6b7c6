import { z } from 'zod';
import {
  CorruptBytesError,
  decodeSections,
  encodeSections,
  sectionOrThrow,
} from '../models/sections.ts';
import type { EvaluationInput } from './input.ts';
import { servedPredictions } from './served.ts';
import { taskOf } from './task.ts';

/** Name of the attachment that a version's evaluation leaves. */
export const TEST_ROWS = 'test-rows.bin';

/**
 * What the served seed said on rows that nothing was fitted or chosen on, and what came of it: the
 * out-of-sample history that a version has before it answers anybody. Of a refitted version: its twin's.
 */
export interface StoredTestRows {
  readonly model: string;
  readonly seed: number;
  readonly timeframe: '1h' | '1d';
  readonly labelKind: string;
  readonly horizons: readonly number[];
  /** One a horizon, adding up to 1. */
  readonly lossWeights: readonly number[];
  readonly trainLabelVariance: readonly number[];
  readonly instruments: readonly string[];
  /** Of labels with classes: their shares in the training part, by horizon. */
  readonly priors?: readonly (readonly number[])[];
  /** ms UTC of the last bar of each row's window. */
  readonly openTime: Float64Array;
  /** Position in `instruments`. */
  readonly instrument: Int32Array;
  /** Row-major [rows x horizons], label units. */
  readonly labels: Float64Array;
  /** Row-major [rows x outputs]. */
  readonly predictions: Float64Array;
  /** sum_h w_h (y_h - f_h)^2 / var_train(y_h), of classes sum_h w_h (-ln p_h); NaN where a forecast is. */
  readonly weightedLoss: Float64Array;
}

const KIND = 'test-rows';
const VERSION = 1;

const metaSchema = z.strictObject({
  model: z.string(),
  seed: z.int(),
  timeframe: z.enum(['1h', '1d']),
  labelKind: z.string(),
  horizons: z.array(z.int().min(1)).min(1),
  lossWeights: z.array(z.number()).min(1),
  trainLabelVariance: z.array(z.number()).min(1),
  instruments: z.array(z.string()).min(1),
  priors: z.array(z.array(z.number())).exactOptional(),
});

type Facts = Pick<
  EvaluationInput,
  | 'model'
  | 'label'
  | 'horizons'
  | 'lossWeights'
  | 'trainLabelVariance'
  | 'rows'
  | 'classes'
  | 'seeds'
  | 'serve'
  | 'instruments'
>;

/** The rows of one seed of an evaluation; `instrument` names each row's by its position in the unit. */
export function testRowsOf(
  facts: Facts,
  seed: number,
  rows: { readonly timeframe: '1h' | '1d'; readonly instrument: Int32Array },
): StoredTestRows {
  const predictions = servedPredictions(facts, seed);
  return {
    model: facts.model,
    seed,
    timeframe: rows.timeframe,
    labelKind: facts.label.name,
    horizons: facts.horizons,
    lossWeights: facts.lossWeights,
    trainLabelVariance: facts.trainLabelVariance,
    instruments: facts.instruments,
    openTime: facts.rows.openTime,
    instrument: rows.instrument,
    labels: facts.rows.labels,
    predictions,
    ...(facts.classes && { priors: facts.classes.priors.map((shares) => [...shares]) }),
    weightedLoss: taskOf(facts.label).losses(facts, predictions),
  };
}

/** One digest-guarded file; equal rows give equal bytes. See core/models/sections.ts for the layout. */
export function encodeTestRows(rows: StoredTestRows): Uint8Array {
  const { openTime, instrument, labels, predictions, weightedLoss, ...meta } = rows;
  return encodeSections({
    kind: KIND,
    version: VERSION,
    meta: metaSchema.parse(meta),
    sections: { openTime, instrument, labels, predictions, weightedLoss },
  });
}

/** Throws `bytes.corrupt` for damaged bytes and for columns that do not belong together. */
export function decodeTestRows(bytes: Uint8Array): StoredTestRows {
  const file = decodeSections(bytes, KIND, VERSION);
  const parsed = metaSchema.safeParse(file.meta);
  if (!parsed.success) throw new CorruptBytesError(KIND, z.prettifyError(parsed.error));
  const meta = parsed.data;
  const openTime = sectionOrThrow(file, 'openTime', Float64Array);
  const columns = {
    openTime,
    instrument: sectionOrThrow(file, 'instrument', Int32Array),
    labels: sectionOrThrow(file, 'labels', Float64Array),
    predictions: sectionOrThrow(file, 'predictions', Float64Array),
    weightedLoss: sectionOrThrow(file, 'weightedLoss', Float64Array),
  };
  const rows = openTime.length;
  const wide = rows * meta.horizons.length;
  const fits =
    columns.instrument.length === rows &&
    columns.weightedLoss.length === rows &&
    columns.labels.length === wide &&
    columns.predictions.length === wide * (meta.priors?.[0]?.length ?? 1) &&
    meta.lossWeights.length === meta.horizons.length &&
    columns.instrument.every((at) => at >= 0 && at < meta.instruments.length);
  if (!fits) throw new CorruptBytesError(KIND, 'its columns do not belong together');
  return { ...meta, ...columns };
}
