/** Metrics of the probabilities themselves, not of the class they make most probable. */
import { defineMetric, termOf } from '../metric.ts';
import { mostProbable, type ClassRows } from './class-rows.ts';

/** Probabilities outside are moved to the edge: one sure mistake may not outweigh a year. */
export const P_MIN = 0.001;
export const P_MAX = 0.999;

/** -ln of the probability given to the class that came, clipped. NaN of NaN. */
export const surpriseOf = (p: number): number => -Math.log(Math.min(P_MAX, Math.max(P_MIN, p)));

/** Rows that have a NaN anywhere are NaN, whichever probability a metric reads. */
function guard({ probabilities, classes, actual }: ClassRows, row: number): number {
  let sum = actual[row]!;
  for (let c = 0; c < classes.length; c++) sum += probabilities[row * classes.length + c]!;
  return Number.isNaN(sum) ? NaN : 0;
}

/** Logarithmic loss. Formula: mean(-ln p(class that came)), p clipped to [.001, .999], not renormalised. */
export const logLoss = defineMetric<ClassRows>({
  name: 'logLoss',
  title: 'Log loss',
  docs: 'Mean of -ln p(class that came), p clipped to [0.001, 0.999]; natural logarithm, 0 at best. The loss that versions are compared by.',
  direction: 'lower',
  format: 'number',
  terms: (rows) => [
    termOf(
      rows.actual.length,
      (row) =>
        guard(rows, row) +
        surpriseOf(rows.probabilities[row * rows.classes.length + rows.actual[row]!]!),
    ),
  ],
  value: ([loss = NaN]) => loss,
});

/**
 * Brier score of all classes (Brier 1950). Formula: mean(sum_c (p_c - [c came])^2), 0..2; for two classes it is twice
 * the score of one of them.
 */
export const brier = defineMetric<ClassRows>({
  name: 'brier',
  title: 'Brier score',
  docs: 'Mean over rows of the squared differences between probabilities and what came, added over classes: 0 at best, 2 at worst.',
  direction: 'lower',
  format: 'number',
  terms: (rows) => {
    const k = rows.classes.length;
    return [
      termOf(rows.actual.length, (row) => {
        let sum = guard(rows, row);
        for (let c = 0; c < k; c++) {
          sum += (rows.probabilities[row * k + c]! - (rows.actual[row] === c ? 1 : 0)) ** 2;
        }
        return sum;
      }),
    ];
  },
  value: ([score = NaN]) => score,
});

/** Equal-width bins of a probability in 0..1. */
export const CALIBRATION_BINS = 10;
export const binOf = (p: number): number =>
  Math.max(0, Math.min(CALIBRATION_BINS - 1, Math.floor(p * CALIBRATION_BINS)));

/**
 * Expected calibration error of the answered class (Naeini et al. 2015; ten equal-width bins, edges belong to the
 * bin above). Formula: sum over bins of abs(sum of hits - sum of probabilities) / rows. Never 0 on finite rows: a
 * perfectly calibrated forecast of n rows has about sum_b sqrt(p(1-p) n_b) / n.
 */
export const calibrationError = defineMetric<ClassRows>({
  name: 'ece',
  title: 'Calibration error',
  docs: 'Expected calibration error: gap between the stated probability of the answered class and its hit rate, over ten equal-width bins weighted by rows. 0 at best; some is left by chance.',
  direction: 'lower',
  format: 'percent',
  terms: (rows) => {
    const k = rows.classes.length;
    const answers = mostProbable(rows);
    const gaps = Array.from(
      { length: CALIBRATION_BINS },
      () => new Float64Array(rows.actual.length),
    );
    for (let row = 0; row < answers.length; row++) {
      const answer = answers[row]!;
      if (Number.isNaN(answer + rows.actual[row]!)) {
        for (const column of gaps) column[row] = NaN;
        continue;
      }
      const p = rows.probabilities[row * k + answer]!;
      gaps[binOf(p)]![row] = (rows.actual[row] === answer ? 1 : 0) - p;
    }
    return gaps;
  },
  value: (means) => means.reduce((sum, mean) => sum + Math.abs(mean), 0),
});

/** Stated probability against what came, in one bin that has rows. */
export interface CalibrationBin {
  readonly stated: number;
  readonly observed: number;
  readonly rows: number;
}

/** Reliability curve of one class: mean probability and share of rows where it came, by bin. */
export function calibrationCurve(rows: ClassRows, c: number): CalibrationBin[] {
  const k = rows.classes.length;
  const bins = Array.from({ length: CALIBRATION_BINS }, () => ({ stated: 0, came: 0, rows: 0 }));
  for (let row = 0; row < rows.actual.length; row++) {
    const p = rows.probabilities[row * k + c]!;
    if (Number.isNaN(p + rows.actual[row]!)) continue;
    const bin = bins[binOf(p)]!;
    bin.stated += p;
    bin.came += rows.actual[row] === c ? 1 : 0;
    bin.rows += 1;
  }
  return bins
    .filter((bin) => bin.rows > 0)
    .map((bin) => ({
      stated: bin.stated / bin.rows,
      observed: bin.came / bin.rows,
      rows: bin.rows,
    }));
}
