import { labelKindOrThrow } from '../core/labels/index.ts';
import type { PredictionAnswer } from '../core/predict/index.ts';
import { recommend, type EmergencyScore, type Recommended } from '../core/signals/index.ts';
import { needsModel } from '../core/strategies/index.ts';
import { emergencyOf } from './emergency.ts';
import { ApiError } from './errors.ts';
import type { ApiParts } from './parts.ts';
import type { PredictRequest } from './serving/serving.ts';
import { standIn, type StandIn } from './signal-fallback.ts';
import { strategySays, type ModelSaid, type StrategySaid } from './signal-strategy.ts';

/** Why something else speaks in the model's place. */
export type StandInReason =
  /** Nothing serves the model. */
  | 'no-champion'
  /** The model could not answer; its declared fallback says nothing of the future. */
  | 'inference-failed'
  | 'not-finite'
  | 'implausible'
  /** It answers, and its answer has no probability: a quantity without confidence. */
  | 'no-probability'
  /** It answers, and the declared strategy, which asks it, has no opinion: it warms up, or reads what the model does not say. */
  | 'no-opinion';

export type SignalSource =
  | {
      readonly source: 'model';
      readonly prediction: PredictionAnswer;
      /** By horizon, in the order of the prediction's. */
      readonly horizons: readonly (Recommended & { readonly horizon: number })[];
      /** How urgent it is to leave a long position; null where the request has no bars, or too few. */
      readonly emergency: EmergencyScore | null;
    }
  | (StandIn & { readonly reason: StandInReason })
  /** The strategy that is declared asks the model; `reason`: why its answer is not there. */
  | (StrategySaid & { readonly reason: StandInReason | null });

/** Problems of a model that cannot answer, whoever asks: the caller's own mistakes are not among them. */
const UNUSABLE: Readonly<Record<string, StandInReason>> = {
  'champion.none': 'no-champion',
  'predict.inference-failed': 'inference-failed',
  'predict.non-finite': 'not-finite',
  'predict.implausible': 'implausible',
};

/**
 * A signal: what the declared strategy makes of the model's answer, where it asks the model; else the answer as a
 * recommendation, or, where no model can give one, what a declared strategy without a model or a rule of thumb says of
 * the same bars, marked. Throws what `serving.predict` throws for a request that no model could answer,
 * and `signal.too-few-bars`.
 */
export async function signalOf(parts: ApiParts, request: PredictRequest): Promise<SignalSource> {
  const { prediction, horizons, reason } = await modelSays(parts, request);
  const { strategy: spec, datasets } = await parts.declared.of(parts, request.model);
  if (spec !== null && needsModel(spec)) {
    const said = { prediction, horizons };
    const found = await strategySays(parts, request, { spec, datasets }, said);
    // A quantity without a probability is an answer to a strategy, if not to a reader.
    const failed = prediction === null || prediction.fallback !== null ? reason : null;
    if (found) return { ...found, reason: failed };
    return { ...(await standIn(parts, request, prediction)), reason: failed ?? 'no-opinion' };
  }
  const first = horizons[0];
  if (prediction !== null && first && reason === null) {
    const emergency = await emergencyOf(parts, request.input, prediction, first);
    return { source: 'model', prediction, horizons, emergency };
  }
  return { ...(await standIn(parts, request, prediction)), reason: reason ?? 'no-probability' };
}

interface ModelAnswer extends ModelSaid {
  /** null: it can speak for itself. */
  readonly reason: StandInReason | null;
}

async function modelSays(parts: ApiParts, request: PredictRequest): Promise<ModelAnswer> {
  try {
    const prediction = await parts.serving.predict(request);
    if (prediction.fallback !== null) {
      return { prediction, horizons: [], reason: prediction.fallbackReason ?? 'no-probability' };
    }
    const horizons = await recommendations(parts, prediction);
    return { prediction, horizons, reason: horizons.length > 0 ? null : 'no-probability' };
  } catch (error) {
    const reason = error instanceof ApiError ? UNUSABLE[error.code] : undefined;
    if (reason === undefined) throw error;
    return { prediction: null, horizons: [], reason };
  }
}

/** What an answer recommends, by horizon; of a horizon without a probability nothing. */
export async function recommendations(
  { serving }: ApiParts,
  { model, version, horizons }: PredictionAnswer,
): Promise<(Recommended & { readonly horizon: number })[]> {
  const { pkg } = await serving.describe(model, version);
  const { label, classes, recommendation } = pkg.preprocessing;
  const kind = labelKindOrThrow(label.kind);
  return horizons.flatMap((answer, k) => {
    const found = recommend(kind, answer, classes?.priors[k], recommendation);
    return found ? [{ ...found, horizon: answer.horizon }] : [];
  });
}
