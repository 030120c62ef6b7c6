/**
 * The confusion matrix: rows by the class that came and the class answered, as counts or as shares, and what is made of
 * it. Conventions where a ratio has no denominator, as scikit-learn's `zero_division=0`: a class that is never answered
 * has precision and F1 0; a class that never came has no recall and no F1 (NaN), and means over classes leave it out.
 */
import { RatchetError } from '../../errors.ts';
import { mostProbable, type AnswerRule, type ClassRows } from './class-rows.ts';

/** joint[came][answered], both margins, and the sum of all. */
export interface Confusion {
  readonly joint: readonly (readonly number[])[];
  readonly came: readonly number[];
  readonly answered: readonly number[];
  readonly total: number;
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function confusionOf(joint: Confusion['joint'], total: number): Confusion {
  const answered = joint.map((_, j) => sumOf(joint.map((row) => row[j]!)));
  return { joint, came: joint.map(sumOf), answered, total };
}

const squareOf = (cells: readonly number[]): number[][] => {
  const k = Math.sqrt(cells.length);
  return Array.from({ length: k }, (_, i) => cells.slice(i * k, (i + 1) * k));
};

/** The matrix of shares whose cells, row-major by the class that came, add up to 1. */
export const sharesOf = (cells: readonly number[]): Confusion => confusionOf(squareOf(cells), 1);

/** One column for each cell of the matrix, row-major by the class that came; 1 where the row is in the cell. */
export const cellTerms =
  (rule: AnswerRule) =>
  (rows: ClassRows): readonly Float64Array[] => {
    const k = rows.classes.length;
    const answers = rule(rows);
    const cells = Array.from({ length: k * k }, () => new Float64Array(answers.length));
    for (let row = 0; row < answers.length; row++) {
      const cell = rows.actual[row]! * k + answers[row]!;
      if (Number.isNaN(cell)) for (const column of cells) column[row] = NaN;
      else cells[cell]![row] = 1;
    }
    return cells;
  };

/** Rows by class that came and class answered, `counts[came][answered]`; null where a row has a NaN. */
export function confusionCounts(rows: ClassRows): number[][] | null {
  const cells = cellTerms(mostProbable)(rows).map((column) => column.reduce((a, b) => a + b, 0));
  return cells.some(Number.isNaN) ? null : squareOf(cells);
}

/** Rounding of resampled sums may leave a share of 1e-17 where there is no row. */
const NONE = 1e-9;

/** Share of rows answered right. */
export const accuracyOf = ({ joint, total }: Confusion): number =>
  sumOf(joint.map((row, c) => row[c]!)) / total;
export const precisionOf = ({ joint, answered }: Confusion, c: number): number =>
  answered[c]! > NONE ? joint[c]![c]! / answered[c]! : answered[c]! >= -NONE ? 0 : NaN;
export const recallOf = ({ joint, came }: Confusion, c: number): number =>
  came[c]! > NONE ? joint[c]![c]! / came[c]! : NaN;
export const f1Of = ({ joint, came, answered }: Confusion, c: number): number =>
  came[c]! > NONE ? (2 * joint[c]![c]!) / (came[c]! + answered[c]!) : NaN;

/** Mean over the classes that came; NaN where none did. */
export function overClasses(
  matrix: Confusion,
  of: (matrix: Confusion, c: number) => number,
): number {
  const values = matrix.came.flatMap((rows, c) => (rows > NONE ? [of(matrix, c)] : []));
  return sumOf(values) / values.length;
}

/** Mean recall over the classes that came. */
export const balancedAccuracyOf = (matrix: Confusion): number => overClasses(matrix, recallOf);

/**
 * Matthews correlation of several classes (Gorodkin 2004, "Comparing two K-category assignments by a K-category
 * correlation coefficient"). Formula, of shares: (sum_c p_cc - sum_c came_c answered_c) / sqrt((1 - sum came^2)(1 - sum
 * answered^2)). 0 where one class only came or was answered.
 */
export function matthewsOf({ joint, came, answered, total }: Confusion): number {
  const right = sumOf(joint.map((row, c) => row[c]!)) * total;
  const byChance = sumOf(came.map((rows, c) => rows * answered[c]!));
  const varied = (margin: readonly number[]): number =>
    total * total - sumOf(margin.map((rows) => rows * rows));
  const [ofCame, ofAnswered] = [varied(came), varied(answered)];
  if (ofCame < NONE || ofAnswered < NONE) return 0;
  return (right - byChance) / Math.sqrt(ofCame * ofAnswered);
}

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

/**
 * Scores a confusion matrix, beside always answering the most frequent class: accuracy alone hides that a model never
 * finds what it was built for. Throws `metrics.confusion` unless it is square, of counts, and not empty.
 */
export function scoreConfusion({ classes, counts }: ConfusionMatrix): ClassificationScores {
  assertConfusion(classes, counts);
  const rows = sumOf(counts.flat());
  const matrix = confusionOf(counts, rows);
  const { came } = matrix;
  // A class that never came is of no weight; a table shows 0 for it.
  const orNone = (value: number): number => (Number.isNaN(value) ? 0 : value);
  const perClass = classes.map((name, c) => ({
    name,
    support: came[c]!,
    precision: precisionOf(matrix, c),
    recall: orNone(recallOf(matrix, c)),
    f1: orNone(f1Of(matrix, c)),
  }));
  const accuracy = accuracyOf(matrix);
  const balancedAccuracy = balancedAccuracyOf(matrix);
  const weighted = (of: (c: ClassScores) => number): number =>
    sumOf(perClass.map((c) => of(c) * c.support)) / rows;
  const most = came.indexOf(Math.max(...came));
  const majority = { name: classes[most]!, accuracy: came[most]! / rows };
  const beatsBaseline = accuracy > majority.accuracy && balancedAccuracy > 1 / classes.length;
  return {
    rows,
    accuracy,
    balancedAccuracy,
    mcc: matthewsOf(matrix),
    weightedPrecision: weighted((c) => c.precision),
    weightedRecall: weighted((c) => c.recall),
    weightedF1: weighted((c) => c.f1),
    perClass,
    majority,
    beatsBaseline,
    verdict: verdictOf(beatsBaseline, accuracy, balancedAccuracy, majority, classes.length),
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
