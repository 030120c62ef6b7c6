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
    const drawing = mode === 'mc' ? draw(slot, window, options) : undefined;
    // Where it fails so does the forecast, which is awaited first: the package is in use until both are over.
    drawing?.catch(() => undefined);
    const values = await slot.batcher.forecast(window, drawing);
    const samples = await drawing;
    const summaries = samples && summarise(slot, window, { values, samples }, options);
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

/** Monte-Carlo samples of the window, where its package has confidence by them; see `failed` for those that fail. */
async function draw(
  { opened }: Slot,
  window: PredictionWindow,
  options: ComputeOptions,
): Promise<Float64Array | 'failed' | undefined> {
  const { verified, monteCarlo } = opened;
  const { confidence, label } = verified.preprocessing;
  // Classes are as sure as their probabilities: nothing is sampled.
  const isOfClasses = labelKindOrThrow(label.kind).task === 'classification';
  if (!monteCarlo || confidence.method === 'none' || isOfClasses) return undefined;
  try {
    return await monteCarlo.sample({
      window: window.values,
      samples: confidence.samples,
      instrument: instrumentOf(verified, window),
      noiseKey: verified.packageDigest,
      background: options.purpose === 'shadow',
    });
  } catch (error) {
    return failed(verified, error, options);
  }
}

/** What the samples say of a forecast. */
function summarise(
  { opened: { verified } }: Slot,
  window: PredictionWindow,
  { values, samples }: { readonly values: Float64Array; readonly samples: Float64Array | 'failed' },
  options: ComputeOptions,
): Summaries {
  if (samples === 'failed') return samples;
  const kind = labelKindOrThrow(verified.preprocessing.label.kind);
  if (kind.task === 'classification') return undefined;
  try {
    return summariseSamples(samples, values, kind, scalersOf(verified, window).labels);
  } catch (error) {
    return failed(verified, error, options);
  }
}

/**
 * Where the samples of a forecast that stands fail, the answer is the forecast without confidence, marked: the fallback in
 * its place would throw away the better half of it.
 */
function failed(
  { manifest: { model, version } }: VerifiedPackage,
  error: unknown,
  { purpose, log }: ComputeOptions,
): 'failed' {
  // `ApiError`: too many wait; the caller can ask again, or without confidence.
  if (error instanceof ApiError || purpose !== 'answer') throw error;
  log.error({ err: error, model, version }, 'the confidence of a forecast cannot be computed');
  return 'failed';
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
