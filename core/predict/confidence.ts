import type { RegressionLabel } from '../labels/label.ts';
import type { ConfidenceCalibration } from '../packages/manifest.ts';
import { clamp, directionOf } from './direction.ts';
import { applyIsotonic, fitRate } from './isotonic.ts';
import type { SampleSummary } from './mc.ts';

/** Windows of the validation part that are sampled: 500 x 100 samples take some 6 s of a core. */
export const CALIBRATION_WINDOWS_MAX = 500;
/** Confidence is never surer than this, whatever a validation part says. */
export const CONFIDENCE_RANGE = [0.1, 0.9] as const;
/** An observed rate of 0 or 1 over a few hundred rows does not mean impossible or certain. */
export const PROBABILITY_RANGE = [0.01, 0.99] as const;
const INTERVAL_LEVEL = 0.8;
const MIN_SD_LEVEL = 0.1;

/** `max` of the rows, evenly spaced, first and last included; all of them when there are fewer. */
export function evenlySpaced(rows: Int32Array, max: number = CALIBRATION_WINDOWS_MAX): Int32Array {
  if (rows.length <= max) return rows;
  return Int32Array.from({ length: max }, (_, i) => {
    return rows[Math.round((i * (rows.length - 1)) / (max - 1))]!;
  });
}

/** One validation window: forecast and actual label by horizon (learnt units), and what its samples say. */
export interface CalibrationWindow {
  readonly forecast: Float64Array;
  readonly actual: Float64Array;
  readonly summary: readonly SampleSummary[];
}

const quantile = (sorted: Float64Array, rank: number): number =>
  sorted[clamp(rank, 0, sorted.length - 1)]!;

type HorizonCalibration = ConfidenceCalibration['byHorizon'][number];

function fitHorizon(
  windows: readonly CalibrationWindow[],
  k: number,
  label: RegressionLabel,
): HorizonCalibration {
  const known = windows.filter(({ actual }) => Number.isFinite(actual[k]));
  const column = (of: (window: CalibrationWindow) => number) => Float64Array.from(known, of);
  const change = (value: number) => label.returnFrom(value);
  const sd = column(({ summary }) => summary[k]!.sd).sort();
  const minSd = sd.length === 0 ? 0 : quantile(sd, Math.floor(MIN_SD_LEVEL * sd.length));
  // Scores of split conformal prediction; where s is 0 (samples all equal) the bare residual counts.
  const scores = column(({ forecast, actual, summary }) => {
    return Math.abs(actual[k]! - forecast[k]!) / (Math.max(summary[k]!.sd, minSd) || 1);
  }).sort();
  const rank = Math.ceil((scores.length + 1) * INTERVAL_LEVEL) - 1;
  return {
    directional: fitRate(
      column(({ summary }) => summary[k]!.shareInClass),
      column(({ forecast, actual }) =>
        Number(directionOf(change(forecast[k]!)) === directionOf(change(actual[k]!))),
      ),
    ),
    probabilityUp: fitRate(
      column(({ summary }) => summary[k]!.shareUp),
      column(({ actual }) => Number(change(actual[k]!) > 0)),
    ),
    intervalQuantile: scores.length === 0 ? 0 : quantile(scores, rank),
    minSd,
  };
}

/**
 * Calibrates confidence on windows of the *validation* part (at most `CALIBRATION_WINDOWS_MAX`, evenly
 * spaced; test rows would make the report's reliability meaningless). Per horizon: isotonic maps from
 * the share of samples to the observed rate, the split-conformal 80 % quantile of |y - forecast| / s with
 * s = max(SD, its 10 % quantile), and that quantile. Labels that are not known are left out.
 */
export function fitConfidence(
  windows: readonly CalibrationWindow[],
  options: Pick<ConfidenceCalibration, 'method' | 'samples' | 'noiseWidth'> & {
    readonly horizons: number;
    readonly label: RegressionLabel;
  },
): ConfidenceCalibration {
  const { method, samples, noiseWidth, horizons, label } = options;
  const byHorizon = Array.from({ length: horizons }, (_, k) => fitHorizon(windows, k, label));
  return { method, samples, noiseWidth, byHorizon };
}

/** Of a family without a Monte-Carlo graph, or a spec that wants none. */
export const NO_CONFIDENCE: ConfidenceCalibration = {
  method: 'none',
  samples: 0,
  noiseWidth: 0,
  byHorizon: [],
};

export interface CalibratedHorizon {
  readonly confidence: number;
  readonly relativeStd: number;
  readonly probabilityUp: number;
  /** Half-width of the 80 % interval in learnt units. */
  readonly halfWidth: number;
}

/** How each method makes one number of a summary. */
const METHODS: Readonly<
  Record<
    Exclude<ConfidenceCalibration['method'], 'none' | 'probability'>,
    (summary: SampleSummary, calibration: HorizonCalibration) => number
  >
> = {
  directional: (summary, { directional }) => applyIsotonic(directional, summary.shareInClass),
  relativeStd: (summary) => summary.relativeStd,
};

/** What to say about one horizon of a window that was sampled; undefined with a method that samples nothing. */
export function calibrated(
  calibration: ConfidenceCalibration,
  k: number,
  summary: SampleSummary,
): CalibratedHorizon | undefined {
  const { method } = calibration;
  if (method === 'none' || method === 'probability') return undefined;
  const horizon = calibration.byHorizon[k]!;
  const up = applyIsotonic(horizon.probabilityUp, summary.shareUp);
  return {
    confidence: clamp(METHODS[method](summary, horizon), ...CONFIDENCE_RANGE),
    relativeStd: summary.relativeStd,
    probabilityUp: clamp(up, ...PROBABILITY_RANGE),
    halfWidth: horizon.intervalQuantile * (Math.max(summary.sd, horizon.minSd) || 1),
  };
}
