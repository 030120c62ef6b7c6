import { termOf, type MetricOf } from '../metric.ts';

/**
 * What a class metric is computed from: one horizon of one part. All arrays have one entry a row; a NaN among
 * `actual` or `probabilities` makes every metric NaN.
 */
export interface ClassRows {
  /** ms UTC of each row; the same time for several instruments. */
  readonly openTime: Float64Array;
  /** Names in the order of the outputs, from falling to rising; two or more. */
  readonly classes: readonly string[];
  /** Index of the class that came. */
  readonly actual: Float64Array;
  /** Row-major [rows x classes]; each row adds up to 1. */
  readonly probabilities: Float64Array;
  /** Share of each class in the training part of the row's instrument, row-major [rows x classes]. */
  readonly priors: Float64Array;
  /** Simple return that came (0.01 = 1 %); NaN where it is unknown. */
  readonly change: Float64Array;
  /** Forecast return: sum over classes of p_c x mean training return of class c. */
  readonly expectedChange: Float64Array;
}

export type ClassMetric = MetricOf<ClassRows>;

/** A class by its row: the greatest probability, or the greatest p / prior. */
export type AnswerRule = (rows: ClassRows) => Float64Array;

/** The most probable class; equal ones give the first. NaN of a row with a NaN. */
export const mostProbable: AnswerRule = (rows) => answersBy(rows, (p) => p);

/**
 * The class that grew most against the training part, argmax of p / prior: what a model says beyond "it is mostly
 * hold". A class that training never saw is never answered.
 */
export const mostProbableAtPriors: AnswerRule = (rows) =>
  answersBy(rows, (p, at) => (rows.priors[at]! > 0 ? p / rows.priors[at]! : -Infinity));

function answersBy(
  { probabilities, classes, actual }: ClassRows,
  score: (p: number, at: number) => number,
): Float64Array {
  const k = classes.length;
  return termOf(actual.length, (row) => {
    let best = 0;
    let most = -Infinity;
    for (let c = 0; c < k; c++) {
      const p = probabilities[row * k + c]!;
      if (Number.isNaN(p)) return NaN;
      const value = score(p, row * k + c);
      if (value > most) [best, most] = [c, value];
    }
    return best;
  });
}

/** Column of one class's probabilities. */
export function probabilityOf({ probabilities, classes, actual }: ClassRows, c: number) {
  return termOf(actual.length, (row) => probabilities[row * classes.length + c]!);
}
