import type { ConfidenceCalibration } from '../packages/manifest.ts';
import { clamp } from './direction.ts';
import { applyIsotonic, fitRate } from './isotonic.ts';
import { CONFIDENCE_RANGE, PROBABILITY_RANGE } from './confidence.ts';

/** Rows of the validation part at one horizon, columns of equal length. */
export interface ClassCalibrationRows {
  /** Probability of the class that was answered, and whether it came. */
  readonly answered: Float64Array;
  readonly hit: Float64Array;
  /** `riseScore`, and whether the price rose, however little. */
  readonly score: Float64Array;
  readonly rose: Float64Array;
}

/**
 * Calibrates what a model of classes says of itself, on the *validation* part: isotonic maps from the probability of the
 * answered class to how often it came, and from the score of a rise to how often the price rose.
 */
export function fitClassConfidence(
  byHorizon: readonly ClassCalibrationRows[],
): ConfidenceCalibration {
  return {
    method: 'probability',
    samples: 0,
    noiseWidth: 0,
    byHorizon: byHorizon.map(({ answered, hit, score, rose }) => ({
      directional: fitRate(answered, hit),
      probabilityUp: fitRate(score, rose),
      intervalQuantile: 0,
      minSd: 0,
    })),
  };
}

/** Calibrated sureness of one horizon's answer; null where the package has no calibration of classes. */
export function classConfidence(
  calibration: ConfidenceCalibration,
  k: number,
  answered: number,
  score: number,
): { readonly confidence: number | null; readonly probabilityUp: number | null } {
  if (calibration.method !== 'probability') return { confidence: null, probabilityUp: null };
  const horizon = calibration.byHorizon[k]!;
  return {
    confidence: clamp(applyIsotonic(horizon.directional, answered), ...CONFIDENCE_RANGE),
    probabilityUp: clamp(applyIsotonic(horizon.probabilityUp, score), ...PROBABILITY_RANGE),
  };
}
