import { labelKindOrThrow } from '../core/labels/index.ts';
import type { PredictionAnswer } from '../core/predict/index.ts';
import { recommend, type EmergencyScore, type Recommended } from '../core/signals/index.ts';
import { emergencyOf } from './emergency.ts';
import { ApiError } from './errors.ts';
import type { ApiParts } from './parts.ts';
import type { PredictRequest } from './serving/serving.ts';
import { standIn, type StandIn } from './signal-fallback.ts';

/** Why something else speaks in the model's place. */
export type StandInReason =
  /** Nothing serves the model. */
  | 'no-champion'
  /** The model could not answer; its declared fallback says nothing of the future. */
  | 'inference-failed'
  | 'not-finite'
  | 'implausible'
  /** It answers, and its answer has no probability: a quantity without confidence. */
  | 'no-probability';

export type SignalSource =
  | {
      readonly source: 'model';
      readonly prediction: PredictionAnswer;
      /** By horizon, in the order of the prediction's. */
      readonly horizons: readonly (Recommended & { readonly horizon: number })[];
      /** How urgent it is to leave a long position; null where the request has no bars, or too few. */
      readonly emergency: EmergencyScore | null;
    }
  | (StandIn & { readonly reason: StandInReason });

/** Problems of a model that cannot answer, whoever asks: the caller's own mistakes are not among them. */
const UNUSABLE: Readonly<Record<string, StandInReason>> = {
  'champion.none': 'no-champion',
  'predict.inference-failed': 'inference-failed',
  'predict.non-finite': 'not-finite',
  'predict.implausible': 'implausible',
};

/**
 * A signal: the model's answer as a recommendation, or, where no model can give one, what the declared strategy or a rule
 * of thumb says of the same bars, marked. Throws what `serving.predict` throws for a request that no model could answer, and `signal.too-few-bars`.
 */
export async function signalOf(parts: ApiParts, request: PredictRequest): Promise<SignalSource> {
  let prediction: PredictionAnswer | null = null;
  let reason: StandInReason;
  try {
    prediction = await parts.serving.predict(request);
    if (prediction.fallback === null) {
      const horizons = await recommendations(parts, prediction);
      const first = horizons[0];
      if (first) {
        const emergency = await emergencyOf(parts, request.input, prediction, first);
        return { source: 'model', prediction, horizons, emergency };
      }
    }
    reason = prediction.fallbackReason ?? 'no-probability';
  } catch (error) {
    const known = error instanceof ApiError ? UNUSABLE[error.code] : undefined;
    if (known === undefined) throw error;
    reason = known;
  }
  return { ...(await standIn(parts, request, prediction)), reason };
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
