/**
 * Metrics of a confusion matrix, always beside the majority-class baseline: accuracy alone hides that a model never
 * finds what it was built for.
 */
import { RatchetError } from '../../errors.ts';

/** `counts[actual][predicted]`, whole numbers >= 0, square. */
export interface ConfusionMatrix {
  readonly classes: readonly string[];
  readonly counts: readonly (readonly number[])[];
}

export interface ClassScores {
  readonly name: string;
  /** Rows of this class. */
  readonly support: number;
  /** TP / (TP + FP); 0 when the class is never predicted. */
  readonly precision: number;
  /** TP / support; 0 when the class never came. */
  readonly recall: number;
  /** Harmonic mean of both; 0 when both are 0. */
  readonly f1: number;
}

export interface ClassificationScores {
  readonly rows: number;
  /** Share of rows predicted right. Higher is better. */
  readonly accuracy: number;
  /** Mean recall over the classes that came. 1 / classes for a constant prediction. */
  readonly balancedAccuracy: number;
  /** Matthews correlation, multi-class (Gorodkin 2004), -1..1; 0 when a margin is constant. */
  readonly mcc: number;
  /** Means over classes weighted by support (recall: equals accuracy). */
  readonly weightedPrecision: number;
  readonly weightedRecall: number;
  readonly weightedF1: number;
  readonly perClass: readonly ClassScores[];
  /** Always predicting the most frequent class. */
  readonly majority: { readonly name: string; readonly accuracy: number };
  /** More accurate than the majority class, and better than chance by balanced accuracy. */
  readonly beatsBaseline: boolean;
  /** One sentence. */
  readonly verdict: string;
}

/** Scores a confusion matrix. Throws `metrics.confusion` unless it is square, of counts, and not empty. */
export function scoreConfusion({ classes, counts }: ConfusionMatrix): ClassificationScores {
  assertConfusion(classes, counts);
  const k = classes.length;
  const support = counts.map((row) => sumOf(row));
  const predicted = classes.map((_, j) => sumOf(counts.map((row) => row[j]!)));
  const right = sumOf(classes.map((_, i) => counts[i]![i]!));
  const rows = sumOf(support);
  const perClass = classes.map((name, i) =>
    classScores(name, counts[i]![i]!, support[i]!, predicted[i]!),
  );
  const came = perClass.filter((c) => c.support > 0);
  const accuracy = right / rows;
  const balancedAccuracy = sumOf(came.map((c) => c.recall)) / came.length;
  const weighted = (of: (c: ClassScores) => number): number =>
    sumOf(perClass.map((c) => of(c) * c.support)) / rows;
  const most = support.indexOf(Math.max(...support));
  const majority = { name: classes[most]!, accuracy: support[most]! / rows };
  const beatsBaseline = accuracy > majority.accuracy && balancedAccuracy > 1 / k;
  return {
    rows,
    accuracy,
    balancedAccuracy,
    mcc: matthews(rows, right, support, predicted),
    weightedPrecision: weighted((c) => c.precision),
    weightedRecall: weighted((c) => c.recall),
    weightedF1: weighted((c) => c.f1),
    perClass,
    majority,
    beatsBaseline,
    verdict: verdictOf(beatsBaseline, accuracy, balancedAccuracy, majority, k),
  };
}

function assertConfusion(classes: readonly string[], counts: ConfusionMatrix['counts']): void {
  const square =
    counts.length === classes.length && counts.every((r) => r.length === classes.length);
  const whole = counts.flat().every((c) => Number.isInteger(c) && c >= 0);
  if (classes.length < 2 || !square || !whole || sumOf(counts.flat()) === 0) {
    throw new RatchetError(
      'metrics.confusion',
      'a confusion matrix is square over two or more classes and holds counts, not all zero',
    );
  }
}

function classScores(name: string, right: number, support: number, predicted: number): ClassScores {
  const precision = predicted === 0 ? 0 : right / predicted;
  const recall = support === 0 ? 0 : right / support;
  const f1 = right === 0 ? 0 : (2 * precision * recall) / (precision + recall);
  return { name, support, precision, recall, f1 };
}

function matthews(
  rows: number,
  right: number,
  support: readonly number[],
  predicted: readonly number[],
): number {
  const both = sumOf(support.map((s, i) => s * predicted[i]!));
  const ofSupport = rows ** 2 - sumOf(support.map((s) => s ** 2));
  const ofPredicted = rows ** 2 - sumOf(predicted.map((p) => p ** 2));
  const scale = Math.sqrt(ofSupport * ofPredicted);
  return scale === 0 ? 0 : (right * rows - both) / scale;
}

function verdictOf(
  beats: boolean,
  accuracy: number,
  balanced: number,
  majority: ClassificationScores['majority'],
  classes: number,
): string {
  const figures =
    `accuracy ${accuracy.toFixed(3)} against ${majority.accuracy.toFixed(3)} of always "${majority.name}", ` +
    `balanced accuracy ${balanced.toFixed(3)} against ${(1 / classes).toFixed(3)} by chance`;
  return beats ? `Beats its baseline: ${figures}.` : `Does not beat its baseline: ${figures}.`;
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
