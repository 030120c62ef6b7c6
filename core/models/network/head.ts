import type { EpochEvent } from '../model.ts';

/**
 * Probabilities are cut to this distance from 0 and 1 before their logarithm is taken
 * (STATISTICS.md 3).
 */
export const PROBABILITY_FLOOR = 0.001;

/** What the outputs of a network are held against. Loss weights: one a horizon. */
export type HeadTask =
  | { readonly kind: 'regression'; readonly lossWeights: readonly number[] }
  | {
      readonly kind: 'classification';
      readonly lossWeights: readonly number[];
      readonly classes: number;
      /** Weight of a sample by horizon and class: [horizons][classes]. */
      readonly classWeights: readonly (readonly number[])[];
    };

/** Outputs of a horizon: 1 value, or a logit a class. */
export const outputsOf = (task: HeadTask): number =>
  task.kind === 'regression' ? 1 : task.classes;

export type ClassWeighting = 'none' | 'balanced';

/**
 * Weights by horizon and class. `none`: all 1. `balanced`: n / (classes x rows of the class) over
 * the training labels (row-major [samples x horizons] of class indices), so that every class counts
 * alike and the mean weight is 1; a class without a training row keeps 1.
 */
export function classWeightsOf(
  weighting: ClassWeighting,
  labels: Float64Array,
  horizons: number,
  classes: number,
): number[][] {
  const counts = Array.from({ length: horizons }, () => new Array<number>(classes).fill(0));
  labels.forEach((label, at) => {
    counts[at % horizons]![label]! += 1;
  });
  const rows = labels.length / horizons;
  return counts.map((byClass) =>
    byClass.map((count) => (weighting === 'none' || count === 0 ? 1 : rows / (classes * count))),
  );
}

/** Softmax over each run of `classes` logits, in double; every run adds up to 1. */
export function softmax(logits: ArrayLike<number>, classes: number): Float64Array {
  const out = new Float64Array(logits.length);
  for (let from = 0; from < logits.length; from += classes) {
    let largest = -Infinity;
    for (let c = 0; c < classes; c++) largest = Math.max(largest, logits[from + c]!);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += out[from + c] = Math.exp(logits[from + c]! - largest);
    for (let c = 0; c < classes; c++) out[from + c]! /= sum;
  }
  return out;
}

/** -ln of a probability cut to [floor, 1 - floor]; NaN stays NaN. */
export const logLossOf = (probability: number): number =>
  -Math.log(Math.min(Math.max(probability, PROBABILITY_FLOOR), 1 - PROBABILITY_FLOOR));

/** What an epoch was worth on the validation rows. Absolute errors: regression only. */
export type Validation = Required<Pick<EpochEvent, 'validLoss' | 'validLossByHorizon'>> &
  Pick<EpochEvent, 'validMaeByHorizon'>;

export const weightedSum = (values: readonly number[], weights: readonly number[]): number =>
  values.reduce((sum, value, k) => sum + value * weights[k]!, 0);

/**
 * Sums the validation loss of a network slice by slice, in double. Regression: squared error in
 * scaled units. Classes: log loss of softmax(logits), weighted by class as in training.
 */
export class ValidationLoss {
  readonly #task: HeadTask;
  readonly #losses: Float64Array;
  readonly #absolutes: Float64Array;
  #rows = 0;

  constructor(task: HeadTask) {
    this.#task = task;
    this.#losses = new Float64Array(task.lossWeights.length);
    this.#absolutes = new Float64Array(task.lossWeights.length);
  }

  /**
   * `outputs` row-major [rows x horizons x outputs] as the network gives them; `labelOf` the label
   * of a row.
   */
  add(outputs: ArrayLike<number>, labelOf: (row: number, horizon: number) => number): void {
    const task = this.#task;
    const horizons = task.lossWeights.length;
    const rows = outputs.length / (horizons * outputsOf(task));
    const answers = task.kind === 'regression' ? outputs : softmax(outputs, task.classes);
    for (let at = 0; at < rows * horizons; at++) {
      const k = at % horizons;
      const label = labelOf(Math.floor(at / horizons), k);
      if (task.kind === 'regression') {
        this.#losses[k]! += (answers[at]! - label) ** 2;
        this.#absolutes[k]! += Math.abs(answers[at]! - label);
      } else {
        const loss = logLossOf(answers[at * task.classes + label]!);
        this.#losses[k]! += loss * task.classWeights[k]![label]!;
      }
    }
    this.#rows += rows;
  }

  mean(): Validation {
    const over = (sums: Float64Array): number[] => [...sums].map((sum) => sum / this.#rows);
    const validLossByHorizon = over(this.#losses);
    return {
      validLoss: weightedSum(validLossByHorizon, this.#task.lossWeights),
      validLossByHorizon,
      ...(this.#task.kind === 'regression' ? { validMaeByHorizon: over(this.#absolutes) } : {}),
    };
  }
}
