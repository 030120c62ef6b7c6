import type { Bars, Timeframe } from '../bars/bars.ts';
import { calendarFor } from '../calendar/index.ts';
import { regressionLabelOrThrow } from '../labels/index.ts';
import type { RegressionLabel } from '../labels/label.ts';
import { windowInputs } from '../packages/golden.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import type { HorizonAnswer, PredictionAnswer } from './answer.ts';
import { calibrated } from './confidence.ts';
import { consistencyScore, directionOf } from './direction.ts';
import { summariseSamples } from './mc.ts';
import type { SampleSummary } from './mc.ts';
import { checkForecast, nonFinite, relianceOf } from './safety.ts';
import { windowShape } from './opened.ts';
import type { OpenedPackage } from './opened.ts';
import { windowFromBars } from './window.ts';
import type { PredictionWindow } from './window.ts';

/** `mc`: Monte-Carlo confidence and interval; `none`: the forecast alone, some sixty times faster. */
export type ConfidenceMode = 'none' | 'mc';

/** The part of an answer that follows from package and window alone. */
export type Forecast = Pick<
  PredictionAnswer,
  | 'model'
  | 'version'
  | 'packageDigest'
  | 'instrument'
  | 'asOf'
  | 'lastClose'
  | 'horizons'
  | 'consistency'
  | 'beatsNaive'
  | 'dissimilarity'
  | 'outlier'
  | 'abstain'
  | 'abstainReasons'
  | 'confidenceFailed'
  | 'stale'
  | 'staleBars'
>;

/** Daily bars are named by their session's date, others by the instant they open. */
function barName(openTime: number, timeframe: Timeframe): string {
  const iso = new Date(openTime).toISOString();
  return timeframe === '1d' ? iso.slice(0, 10) : iso;
}

/**
 * Forecasts in learnt label units, row-major [windows x horizons], in one batch. Throws
 * `predict.non-finite` rather than give a NaN to anybody.
 */
export async function forecastValues(
  pkg: OpenedPackage,
  windows: readonly PredictionWindow[],
): Promise<Float64Array> {
  const shape = windowShape(pkg.verified);
  const size = shape.lookback * shape.features;
  const x = new Float64Array(windows.length * size);
  windows.forEach((window, i) => x.set(window.values, i * size));
  const values = await pkg.session.run(windowInputs(pkg.session, shape, x, () => 1));
  const { horizons } = pkg.verified.preprocessing.label;
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw nonFinite(pkg.verified, horizons[bad % horizons.length]);
  return values;
}

/** What the Monte-Carlo samples say of one window; undefined where the package has no confidence. */
async function sampleSummary(
  pkg: OpenedPackage,
  window: PredictionWindow,
  values: Float64Array,
  label: RegressionLabel,
): Promise<SampleSummary[] | undefined> {
  const { confidence, scalers } = pkg.verified.preprocessing;
  if (!pkg.monteCarlo || confidence.method === 'none') return undefined;
  const samples = await pkg.monteCarlo.sample({
    window: window.values,
    samples: confidence.samples,
    noiseKey: pkg.verified.packageDigest,
  });
  return summariseSamples(samples, values, label, scalers.labels);
}

function horizonAnswer(
  pkg: VerifiedPackage,
  window: PredictionWindow,
  k: number,
  value: number,
  summary: SampleSummary | undefined,
): HorizonAnswer {
  const { label, calendar, timeframe, confidence } = pkg.preprocessing;
  const kind = regressionLabelOrThrow(label.kind);
  const horizon = label.horizons[k]!;
  const change = kind.returnFrom(value);
  const target = calendarFor(calendar).addBars(window.asOf, horizon, timeframe);
  const priceOf = (v: number): number => Math.max(0, kind.priceFrom(v, window.lastClose));
  const known = summary && calibrated(confidence, k, summary);
  return {
    horizon,
    targetDate: barName(target, timeframe),
    price: priceOf(value),
    change,
    direction: directionOf(change),
    confidence: known?.confidence ?? null,
    relativeStd: known?.relativeStd ?? null,
    probabilityUp: known?.probabilityUp ?? null,
    interval80: known ? [priceOf(value - known.halfWidth), priceOf(value + known.halfWidth)] : null,
  };
}

/** Sample summaries by horizon; `failed`: they were asked for and could not be had. */
export type Summaries = readonly SampleSummary[] | 'failed' | undefined;

/**
 * The answer from forecasts in learnt label units [horizons] and, with confidence, sample summaries. Throws
 * `predict.non-finite` and `predict.implausible` (see `checkForecast`).
 */
export function forecastFrom(
  pkg: VerifiedPackage,
  window: PredictionWindow,
  values: Float64Array,
  summaries?: Summaries,
): Forecast {
  checkForecast(pkg, values, regressionLabelOrThrow(pkg.preprocessing.label.kind));
  return compose(pkg, window, values, summaries);
}

function compose(
  pkg: VerifiedPackage,
  window: PredictionWindow,
  values: Float64Array,
  summaries: Summaries,
): Forecast {
  const { manifest, preprocessing, packageDigest } = pkg;
  const confidenceFailed = summaries === 'failed';
  const horizons = Array.from(values, (value, k) =>
    horizonAnswer(pkg, window, k, value, summaries === 'failed' ? undefined : summaries?.[k]),
  );
  const bad = horizons.find(({ price }) => !Number.isFinite(price));
  if (bad) throw nonFinite(pkg, bad.horizon);
  const changes = horizons.map(({ change }) => change);
  return {
    model: manifest.model,
    version: manifest.version,
    packageDigest,
    instrument: window.instrument,
    asOf: new Date(window.asOf).toISOString(),
    lastClose: window.lastClose,
    horizons,
    consistency: consistencyScore(changes, preprocessing.label.horizons, window.volatility),
    beatsNaive: preprocessing.beatsNaive,
    ...relianceOf(pkg, window, horizons, confidenceFailed),
    confidenceFailed,
    stale: window.staleBars > preprocessing.expiresAfter,
    staleBars: window.staleBars,
  };
}

/** Forecasts of several windows, one ONNX batch; each answer as if it had been asked alone. */
export async function predictWindows(
  pkg: OpenedPackage,
  windows: readonly PredictionWindow[],
  mode: ConfidenceMode,
): Promise<Forecast[]> {
  if (windows.length === 0) return [];
  const { label } = pkg.verified.preprocessing;
  const kind = regressionLabelOrThrow(label.kind);
  const values = await forecastValues(pkg, windows);
  const forecasts: Forecast[] = [];
  for (const [i, window] of windows.entries()) {
    const own = values.subarray(i * label.horizons.length, (i + 1) * label.horizons.length);
    const summary = mode === 'mc' ? await sampleSummary(pkg, window, own, kind) : undefined;
    forecasts.push(forecastFrom(pkg.verified, window, own, summary));
  }
  return forecasts;
}

/**
 * Predicts from bars: the one path of serving, backtest and activities. `asOf` (ms UTC) is the instant of
 * asking: only bars complete by then are used, and staleness is counted to it. Errors: see
 * `windowFromBars` and `forecastValues`.
 */
export async function predict(
  pkg: OpenedPackage,
  bars: Bars,
  options: {
    readonly asOf: number;
    readonly confidence: ConfidenceMode;
    readonly fromFirstBar?: boolean;
  },
): Promise<Forecast> {
  const window = windowFromBars(pkg.verified, bars, options);
  return (await predictWindows(pkg, [window], options.confidence))[0]!;
}

/** The declared fallback when inference fails: nothing changes. Marked by the caller, never silent. */
export function naiveForecast(pkg: VerifiedPackage, window: PredictionWindow): Forecast {
  const { label } = pkg.preprocessing;
  const unchanged = regressionLabelOrThrow(label.kind).unchanged;
  // Nothing is checked that the model computed: this answer comes from the last close alone.
  return compose(pkg, window, new Float64Array(label.horizons.length).fill(unchanged), undefined);
}
