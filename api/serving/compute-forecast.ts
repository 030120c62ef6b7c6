import type { Log } from '../../activities/deps.ts';
import { labelKindOrThrow } from '../../core/labels/index.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import {
  fallbackReasonOf,
  forecastFrom,
  hasFallback,
  instrumentOf,
  naiveForecast,
  scalersOf,
  summariseSamples,
  type ConfidenceMode,
  type FallbackReason,
  type Forecast,
  type PredictionWindow,
  type Summaries,
  type WindowFacts,
} from '../../core/predict/index.ts';
import { ApiError } from '../errors.ts';
import type { Slot } from './package-slots.ts';

/**
 * What a forecast is for. `answer`: of the champion or a pinned version; when inference fails, the declared
 * fallback answers. `canary` and `shadow` are of a trial: a failure is theirs, so it is thrown. Nobody
 * waits for a `shadow`.
 */
export type Purpose = 'answer' | 'canary' | 'shadow';

/** What one window came to. */
export interface WindowForecast {
  readonly forecast: Forecast;
  /** The forecast's fields as JSON, without the braces around them: written once for every answer that has them. */
  readonly fields: string;
  readonly fallback: null | 'naive';
  readonly fallbackReason: FallbackReason | null;
  readonly outcome: 'computed' | 'fallback';
}

export interface ComputeOptions {
  /** Of package and window, where they may be known already. */
  readonly facts?: (() => WindowFacts) | undefined;
  readonly mode: ConfidenceMode;
  readonly purpose: Purpose;
  readonly log: Log;
}

/**
 * The forecast of an open package for a window; for an `answer` whose computation fails or whose values
 * cannot be, the package's fallback, or a problem that says so where it declares none. Throws `ApiError`,
 * and for a trial's forecast whatever went wrong.
 */
export async function computeForecast(
  slot: Slot,
  window: PredictionWindow,
  options: ComputeOptions,
): Promise<WindowForecast> {
  const pkg = slot.opened.verified;
  const { mode, purpose, log, facts } = options;
  try {
    const values = await slot.batcher.forecast(window);
    const summaries = mode === 'mc' ? await summarise(slot, window, values, options) : undefined;
    const forecast = forecastFrom(pkg, window, values, summaries, facts?.());
    const fields = fieldsOf(forecast);
    return { forecast, fields, fallback: null, fallbackReason: null, outcome: 'computed' };
  } catch (error) {
    if (error instanceof ApiError || purpose !== 'answer') throw error;
    const reason = fallbackReasonOf(error);
    if (!hasFallback(pkg)) throw noFallback(pkg, reason, error);
    const { model, version } = pkg.manifest;
    log.error({ err: error, model, version, reason }, 'inference failed; the fallback answers');
    const forecast = naiveForecast(pkg, window);
    const fields = fieldsOf(forecast);
    return { forecast, fields, fallback: 'naive', fallbackReason: reason, outcome: 'fallback' };
  }
}

const fieldsOf = (forecast: Forecast): string => JSON.stringify(forecast).slice(1, -1);

/**
 * What Monte-Carlo samples say of a forecast that stands. Where they fail the answer is the forecast without
 * confidence, marked: the fallback in its place would throw away the better half of it.
 */
async function summarise(
  { opened }: Slot,
  window: PredictionWindow,
  values: Float64Array,
  { purpose, log }: ComputeOptions,
): Promise<Summaries> {
  const { verified, monteCarlo } = opened;
  const { confidence, label } = verified.preprocessing;
  const kind = labelKindOrThrow(label.kind);
  // Classes are as sure as their probabilities: nothing is sampled.
  if (!monteCarlo || confidence.method === 'none' || kind.task === 'classification') {
    return undefined;
  }
  try {
    const samples = await monteCarlo.sample({
      window: window.values,
      samples: confidence.samples,
      instrument: instrumentOf(verified, window),
      noiseKey: verified.packageDigest,
      background: purpose === 'shadow',
    });
    return summariseSamples(samples, values, kind, scalersOf(verified, window).labels);
  } catch (error) {
    // `ApiError`: too many wait; the caller can ask again, or without confidence.
    if (error instanceof ApiError || purpose !== 'answer') throw error;
    const { model, version } = verified.manifest;
    log.error({ err: error, model, version }, 'the confidence of a forecast cannot be computed');
    return 'failed';
  }
}

const PROBLEMS: Readonly<Record<FallbackReason, { code: string; words: string }>> = {
  'inference-failed': { code: 'predict.inference-failed', words: 'its computation failed' },
  'not-finite': { code: 'predict.non-finite', words: 'what it computed is not a finite number' },
  implausible: {
    code: 'predict.implausible',
    words: 'what it computed is outside what its training data make plausible',
  },
};

/** The same window gives the same again, so the sentence names ways out that do not wait. */
function noFallback(pkg: VerifiedPackage, reason: FallbackReason, cause: unknown): ApiError {
  const { model, version } = pkg.manifest;
  const { code, words } = PROBLEMS[reason];
  return new ApiError(
    'unavailable',
    code,
    `${model} ${version} has no forecast for this window: ${words}, and its spec declares no fallback. ` +
      'Ask for another version, or roll the model back.',
    { cause },
  );
}
