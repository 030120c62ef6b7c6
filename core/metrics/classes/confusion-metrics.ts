/**
 * Metrics of the confusion matrix: all are functions of the K x K shares of (class that came, class answered), so
 * they share one set of columns. Conventions where a ratio has no denominator, as scikit-learn's `zero_division=0`:
 * a class that is never answered has precision and F1 0; a class that never came has no recall and no F1 (NaN), and
 * means over classes leave it out.
 */
import { defineMetric } from '../metric.ts';
import type { MeansMetric, MetricFacts } from '../metric.ts';
import {
  mostProbable,
  mostProbableAtPriors,
  type AnswerRule,
  type ClassMetric,
  type ClassRows,
} from './class-rows.ts';

/** Shares of rows: joint[came][answered], and both margins. */
interface Shares {
  readonly joint: readonly (readonly number[])[];
  readonly came: readonly number[];
  readonly answered: readonly number[];
}

function sharesOf(means: readonly number[]): Shares {
  const k = Math.sqrt(means.length);
  const joint = Array.from({ length: k }, (_, i) => means.slice(i * k, (i + 1) * k));
  return {
    joint,
    came: joint.map(sumOf),
    answered: joint.map((_, j) => sumOf(joint.map((row) => row[j]!))),
  };
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** One column for each cell of the matrix, row-major by the class that came; 1 where the row is in the cell. */
const cellTerms =
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

const atMostProbable = cellTerms(mostProbable);
const atPriors = cellTerms(mostProbableAtPriors);

/** Rows by class that came and class answered, `counts[came][answered]`; null where a row has a NaN. */
export function confusionCounts(rows: ClassRows): number[][] | null {
  const k = rows.classes.length;
  const counts = atMostProbable(rows).map(sumOfColumn);
  if (counts.some(Number.isNaN)) return null;
  return Array.from({ length: k }, (_, i) => counts.slice(i * k, (i + 1) * k));
}

const sumOfColumn = (column: Float64Array): number => column.reduce((a, b) => a + b, 0);

/** Rounding of resampled sums may leave a share of 1e-17 where there is no row. */
const NONE = 1e-9;

const precisionOf = ({ joint, answered }: Shares, c: number): number =>
  answered[c]! > NONE ? joint[c]![c]! / answered[c]! : answered[c]! >= -NONE ? 0 : NaN;
const recallOf = ({ joint, came }: Shares, c: number): number =>
  came[c]! > NONE ? joint[c]![c]! / came[c]! : NaN;
const f1Of = ({ joint, came, answered }: Shares, c: number): number =>
  came[c]! > NONE ? (2 * joint[c]![c]!) / (came[c]! + answered[c]!) : NaN;

/** Mean over the classes that came; NaN where none did. */
function overClasses(shares: Shares, of: (shares: Shares, c: number) => number): number {
  const values = shares.came.flatMap((share, c) => (share > NONE ? [of(shares, c)] : []));
  return sumOf(values) / values.length;
}

/**
 * Matthews correlation of several classes (Gorodkin 2004, "Comparing two K-category assignments by a K-category
 * correlation coefficient"). Formula: (sum_c p_cc - sum_c came_c answered_c) / sqrt((1 - sum came^2)(1 - sum
 * answered^2)). 0 where one class only came or was answered.
 */
function matthewsOf({ joint, came, answered }: Shares): number {
  const right = sumOf(joint.map((row, c) => row[c]!));
  const byChance = sumOf(came.map((share, c) => share * answered[c]!));
  const varied = (shares: readonly number[]): number => 1 - sumOf(shares.map((s) => s * s));
  const [ofCame, ofAnswered] = [varied(came), varied(answered)];
  if (ofCame < NONE || ofAnswered < NONE) return 0;
  return (right - byChance) / Math.sqrt(ofCame * ofAnswered);
}

type Described = Pick<MetricFacts, 'name' | 'title' | 'docs'> & Partial<MetricFacts>;

const ofShares = (
  facts: Described,
  value: (shares: Shares) => number,
  terms = atMostProbable,
): MeansMetric<ClassRows> =>
  defineMetric<ClassRows>({
    direction: 'higher',
    format: 'percent',
    ...facts,
    terms,
    value: (means) => value(sharesOf(means)),
  });

export const accuracy = ofShares(
  {
    name: 'accuracy',
    title: 'Accuracy',
    docs: 'Share of rows whose most probable class came, 0..1. Compare with always answering the majority class: a model that never finds a rare class can equal it.',
  },
  ({ joint }) => sumOf(joint.map((row, c) => row[c]!)),
);

export const balancedAccuracy = ofShares(
  {
    name: 'balancedAccuracy',
    title: 'Balanced accuracy',
    docs: 'Mean recall over the classes that came; the most probable class is answered. 1 / classes for any constant answer.',
  },
  (shares) => overClasses(shares, recallOf),
);

export const balancedAccuracyAtPriors = ofShares(
  {
    name: 'balancedAccuracyAtPriors',
    title: 'Balanced accuracy, priors divided out',
    docs: 'Mean recall over the classes that came where the class with the greatest p / training prior is answered: argmax of p alone collapses to the majority class. 1 / classes by chance.',
  },
  (shares) => overClasses(shares, recallOf),
  atPriors,
);

export const mcc = ofShares(
  {
    name: 'mcc',
    title: 'MCC',
    format: 'number',
    docs: 'Matthews correlation of several classes (Gorodkin 2004), -1..1; 0 by chance and for any constant answer.',
  },
  matthewsOf,
);

const macro = (name: string, of: (shares: Shares, c: number) => number): ClassMetric =>
  ofShares(
    {
      name: `macro${name}`,
      title: `${name}, mean over classes`,
      docs: `Mean ${name} over the classes that came, each class counting the same, 0..1.`,
    },
    (shares) => overClasses(shares, of),
  );

export const macroMetrics: readonly ClassMetric[] = [
  macro('Precision', precisionOf),
  macro('Recall', recallOf),
  macro('F1', f1Of),
];

/** Precision, recall and F1 of one class. */
export function metricsOfClass(name: string, c: number): readonly ClassMetric[] {
  return [
    ofShares(
      {
        name: `precision_${name}`,
        ofClass: name,
        title: `Precision of ${name}`,
        docs: `Of the rows answered "${name}", the share where it came, 0..1; 0 where it is never answered.`,
      },
      (shares) => precisionOf(shares, c),
    ),
    ofShares(
      {
        name: `recall_${name}`,
        ofClass: name,
        title: `Recall of ${name}`,
        docs: `Of the rows where "${name}" came, the share answered so, 0..1; not defined where it never came.`,
      },
      (shares) => recallOf(shares, c),
    ),
    ofShares(
      {
        name: `f1_${name}`,
        ofClass: name,
        title: `F1 of ${name}`,
        docs: `Harmonic mean of precision and recall of "${name}", 0..1; not defined where it never came.`,
      },
      (shares) => f1Of(shares, c),
    ),
  ];
}
