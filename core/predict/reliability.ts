import type { RegressionLabel } from '../labels/label.ts';
import type { ConfidenceCalibration } from '../packages/manifest.ts';
import { classConfidence, type ClassCalibrationRows } from './class-confidence.ts';
import { calibrated } from './confidence.ts';
import type { CalibratedHorizon, CalibrationWindow } from './confidence.ts';
import { directionOf } from './direction.ts';

const BINS = 5;

/** How far stated confidence and what happened agree, on rows that the calibration did not see. */
export interface HorizonReliability {
  readonly horizon: number;
  readonly rows: number;
  /** Share of outcomes inside the 80 % interval; null without rows. */
  readonly coverage80: number | null;
  /** Mean stated confidence and observed hit rate over all rows. */
  readonly statedMean: number | null;
  readonly observedMean: number | null;
  /** Rows by equal-width bins of stated confidence over 0..1; empty bins are left out. */
  readonly bins: readonly {
    readonly stated: number;
    readonly observed: number;
    readonly rows: number;
  }[];
}

interface Outcome {
  readonly stated: Pick<CalibratedHorizon, 'confidence'>;
  readonly hit: boolean;
  readonly covered: boolean;
}

const meanOf = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, v) => sum + v, 0) / values.length;

function binsOf(outcomes: readonly Outcome[]): HorizonReliability['bins'] {
  const bins = Array.from({ length: BINS }, (): Outcome[] => []);
  for (const outcome of outcomes) {
    bins[Math.min(BINS - 1, Math.floor(outcome.stated.confidence * BINS))]!.push(outcome);
  }
  return bins
    .filter((bin) => bin.length > 0)
    .map((bin) => ({
      stated: meanOf(bin.map(({ stated }) => stated.confidence))!,
      observed: meanOf(bin.map(({ hit }) => Number(hit)))!,
      rows: bin.length,
    }));
}

/** Reliability by horizon; windows whose label is not known are left out. */
export function reliabilityOf(
  windows: readonly CalibrationWindow[],
  calibration: ConfidenceCalibration,
  horizons: readonly number[],
  label: RegressionLabel,
): HorizonReliability[] {
  const direction = (value: number) => directionOf(label.returnFrom(value));
  return horizons.map((horizon, k) => {
    const outcomes = windows.flatMap(({ forecast, actual, summary }): Outcome[] => {
      const stated = calibrated(calibration, k, summary[k]!);
      const [f, y] = [forecast[k]!, actual[k]!];
      if (!stated || !Number.isFinite(y)) return [];
      const covered = Math.abs(y - f) <= stated.halfWidth;
      return [{ stated, covered, hit: direction(f) === direction(y) }];
    });
    return {
      horizon,
      rows: outcomes.length,
      coverage80: meanOf(outcomes.map(({ covered }) => Number(covered))),
      statedMean: meanOf(outcomes.map(({ stated }) => stated.confidence)),
      observedMean: meanOf(outcomes.map(({ hit }) => Number(hit))),
      bins: binsOf(outcomes),
    };
  });
}

/** Of a model of classes: how often the answered class came, by stated confidence. */
export function classReliability(
  byHorizon: readonly ClassCalibrationRows[],
  calibration: ConfidenceCalibration,
  horizons: readonly number[],
): HorizonReliability[] {
  return horizons.map((horizon, k) => {
    const { answered, hit, score } = byHorizon[k]!;
    const outcomes = Array.from(answered, (p, i): Outcome[] => {
      const { confidence } = classConfidence(calibration, k, p, score[i]!);
      if (confidence === null) return [];
      return [{ stated: { confidence }, hit: hit[i] === 1, covered: false }];
    }).flat();
    return {
      horizon,
      rows: outcomes.length,
      coverage80: null,
      statedMean: meanOf(outcomes.map(({ stated }) => stated.confidence)),
      observedMean: meanOf(outcomes.map((outcome) => Number(outcome.hit))),
      bins: binsOf(outcomes),
    };
  });
}
