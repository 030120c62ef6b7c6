import type { Bars } from '../bars/bars.ts';
import { RatchetError } from '../errors.ts';
import { labelKindOrThrow, labelOutputs } from '../labels/index.ts';
import type { ClassLabel, LabelKind, RegressionLabel } from '../labels/index.ts';
import { PackageError } from '../packages/files.ts';
import { windowInputs } from '../packages/golden.ts';
import type { Preprocessing } from '../packages/manifest.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import type { HorizonAnswer, PredictionAnswer } from './answer.ts';
import { classForecast } from './class-answer.ts';
import { calibrated } from './confidence.ts';
import { consistencyScore, directionOf } from './direction.ts';
import { summariseSamples } from './mc.ts';
import type { SampleSummary } from './mc.ts';
import { checkForecast, nonFinite, relianceOf } from './safety.ts';
import { windowShape } from './opened.ts';
import type { OpenedPackage } from './opened.ts';
import { windowFromBars } from './window.ts';
import type { PredictionWindow } from './window.ts';
import { type WindowFacts, windowFacts } from './window-facts.ts';

/**
 * `mc`: Monte-Carlo confidence and interval; `none`: the forecast alone, some sixty times faster.
 */
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

/**
 * What the graph computes for windows in one run: learnt label units or probabilities, row-major
 * [windows x outputs]. Not checked: whoever shows it looks whether it is finite. `room`: where they
 * are laid side by side, of at least their size and not to be touched before the end of the run.
 */
export function windowValues(
  pkg: OpenedPackage,
  windows: readonly PredictionWindow[],
  room?: Float64Array,
): Promise<Float64Array> {
  const shape = windowShape(pkg.verified);
  const size = shape.lookback * shape.features;
  const x =
    windows.length === 1
      ? windows[0]!.values
      : (room ?? new Float64Array(windows.length * size)).subarray(0, windows.length * size);
  windows.forEach(({ values }, i) => {
    if (values.length !== size) throw new RatchetError('onnx.input', `a window has ${size} values`);
    if (windows.length > 1) x.set(values, i * size);
  });
  const instrument = (i: number): number => instrumentOf(pkg.verified, windows[i]!);
  const inputs = windowInputs(pkg.session, shape, x, () => 1, instrument);
  return pkg.session.run(inputs);
}

/** The same; throws `predict.non-finite` rather than give a NaN to anybody. */
export async function forecastValues(
  pkg: OpenedPackage,
  windows: readonly PredictionWindow[],
  room?: Float64Array,
): Promise<Float64Array> {
  const values = await windowValues(pkg, windows, room);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const { kind, horizons } = pkg.verified.preprocessing.label;
    const at = Math.floor(bad / labelOutputs(labelKindOrThrow(kind)));
    throw nonFinite(pkg.verified, horizons[at % horizons.length]);
  }
  return values;
}

/** Position of a window's instrument among those of the package. */
export const instrumentOf = (
  { manifest }: VerifiedPackage,
  { instrument }: Pick<PredictionWindow, 'instrument'>,
): number => manifest.instruments.indexOf(instrument);

/** The scalers of a window: its instrument's own, where each has some. */
export function scalersOf(
  pkg: VerifiedPackage,
  window: Pick<PredictionWindow, 'instrument'>,
): Preprocessing['scalers'] {
  const { instrumentScalers, scalers } = pkg.preprocessing;
  return instrumentScalers?.[instrumentOf(pkg, window)] ?? scalers;
}

/**
 * What the Monte-Carlo samples say of one window; undefined where the package has no confidence.
 */
async function sampleSummary(
  pkg: OpenedPackage,
  window: PredictionWindow,
  values: Float64Array,
  label: LabelKind,
): Promise<SampleSummary[] | undefined> {
  const { confidence } = pkg.verified.preprocessing;
  if (!pkg.monteCarlo || label.task === 'classification') return undefined;
  if (confidence.method === 'none') return undefined;
  const samples = await pkg.monteCarlo.sample({
    window: window.values,
    samples: confidence.samples,
    instrument: instrumentOf(pkg.verified, window),
    noiseKey: pkg.verified.packageDigest,
  });
  return summariseSamples(samples, values, label, scalersOf(pkg.verified, window).labels);
}

/** The `k`-th horizon of an answer, for the bar `targetDate`. */
interface Horizon<Kind extends LabelKind> {
  readonly kind: Kind;
  readonly k: number;
  readonly targetDate: string;
}

// Answers are written field by field: V8 gives what is spread (`...`) to the old generation when it
// holds fractions, and a million answers of a range would each wait there for a full collection.

function valueAnswer(
  pkg: VerifiedPackage,
  window: PredictionWindow,
  { kind, k, targetDate }: Horizon<RegressionLabel>,
  value: number,
  summary: SampleSummary | undefined,
): HorizonAnswer {
  const { confidence, label } = pkg.preprocessing;
  const change = kind.returnFrom(value);
  const priceOf = (v: number): number => Math.max(0, kind.priceFrom(v, window.lastClose));
  const known = summary && calibrated(confidence, k, summary);
  return {
    horizon: label.horizons[k]!,
    targetDate,
    price: priceOf(value),
    change,
    direction: directionOf(change),
    confidence: known?.confidence ?? null,
    relativeStd: known?.relativeStd ?? null,
    probabilityUp: known?.probabilityUp ?? null,
    interval80: known ? [priceOf(value - known.halfWidth), priceOf(value + known.halfWidth)] : null,
  };
}

function classAnswer(
  pkg: VerifiedPackage,
  window: PredictionWindow,
  { kind, k, targetDate }: Horizon<ClassLabel>,
  p: Float64Array,
): HorizonAnswer {
  const { confidence: calibration, classes: statistics, label } = pkg.preprocessing;
  if (!statistics) throw new PackageError('package.classes', 'nothing is known of its classes', {});
  const threshold = window.thresholds?.[k] ?? NaN;
  const known = Number.isFinite(threshold) ? threshold : null;
  const facts = { label: kind, statistics, calibration };
  const forecast = classForecast(facts, k, p, known);
  return {
    horizon: label.horizons[k]!,
    targetDate,
    price: window.lastClose * (1 + forecast.change),
    change: forecast.change,
    direction: forecast.direction,
    confidence: forecast.confidence,
    probabilityUp: forecast.probabilityUp,
    relativeStd: null,
    interval80: null,
    classes: forecast.answer,
  };
}

/** Sample summaries by horizon; `failed`: they were asked for and could not be had. */
export type Summaries = readonly SampleSummary[] | 'failed' | undefined;

/**
 * The answer from forecasts in learnt label units [horizons] or probabilities [horizons x classes]
 * and, with confidence, sample summaries. Throws `predict.non-finite` and `predict.implausible`
 * (see `checkForecast`). `facts`: where they are known already.
 */
export function forecastFrom(
  pkg: VerifiedPackage,
  window: PredictionWindow,
  values: Float64Array,
  summaries?: Summaries,
  facts?: WindowFacts,
): Forecast {
  checkForecast(pkg, values, labelKindOrThrow(pkg.preprocessing.label.kind));
  return compose(pkg, window, values, summaries, facts);
}

function compose(
  pkg: VerifiedPackage,
  window: PredictionWindow,
  values: Float64Array,
  summaries: Summaries,
  { asOf, targetDates, dissimilarity }: WindowFacts = windowFacts(pkg, window),
): Forecast {
  const { manifest, preprocessing, packageDigest } = pkg;
  const confidenceFailed = summaries === 'failed';
  const kind = labelKindOrThrow(preprocessing.label.kind);
  const known = summaries === 'failed' ? undefined : summaries;
  const outputs = labelOutputs(kind);
  const horizons = targetDates.map((targetDate, k) => {
    if (kind.task === 'regression') {
      return valueAnswer(pkg, window, { kind, k, targetDate }, values[k]!, known?.[k]);
    }
    const p = values.subarray(k * outputs, (k + 1) * outputs);
    return classAnswer(pkg, window, { kind, k, targetDate }, p);
  });
  const bad = horizons.find(({ price }) => !Number.isFinite(price));
  if (bad) throw nonFinite(pkg, bad.horizon);
  const changes = horizons.map(({ change }) => change);
  const reliance = relianceOf(pkg, dissimilarity, horizons, confidenceFailed);
  return {
    model: manifest.model,
    version: manifest.version,
    packageDigest,
    instrument: window.instrument,
    asOf,
    lastClose: window.lastClose,
    horizons,
    consistency: consistencyScore(changes, preprocessing.label.horizons, window.volatility),
    beatsNaive: preprocessing.beatsNaive,
    dissimilarity: reliance.dissimilarity,
    outlier: reliance.outlier,
    abstain: reliance.abstain,
    abstainReasons: reliance.abstainReasons,
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
  const kind = labelKindOrThrow(pkg.verified.preprocessing.label.kind);
  const values = await forecastValues(pkg, windows);
  const width = values.length / windows.length;
  const forecasts: Forecast[] = [];
  for (const [i, window] of windows.entries()) {
    const own = values.subarray(i * width, (i + 1) * width);
    const summary = mode === 'mc' ? await sampleSummary(pkg, window, own, kind) : undefined;
    forecasts.push(forecastFrom(pkg.verified, window, own, summary));
  }
  return forecasts;
}

/**
 * Predicts from bars: the one path of serving, backtest and activities. `asOf` (ms UTC) is the
 * instant of asking: only bars complete by then are used, and staleness is counted to it. Errors:
 * see `windowFromBars` and `forecastValues`.
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

/**
 * The declared fallback when inference fails: nothing changes, or the class shares of the training
 * part. Marked by the caller, never silent.
 */
export function naiveForecast(pkg: VerifiedPackage, window: PredictionWindow): Forecast {
  const { label, classes } = pkg.preprocessing;
  if (classes) return compose(pkg, window, Float64Array.from(classes.priors.flat()), undefined);
  const { unchanged } = labelKindOrThrow(label.kind);
  // Nothing is checked that the model computed: this answer comes from the last close alone.
  return compose(pkg, window, new Float64Array(label.horizons.length).fill(unchanged), undefined);
}
