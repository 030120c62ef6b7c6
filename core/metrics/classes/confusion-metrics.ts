/**
 * Metrics of the confusion matrix: all are functions of the K x K shares of (class that came, class answered), so
 * they share one set of columns. `confusion.ts` has their arithmetic.
 */
import { defineMetric } from '../metric.ts';
import type { MeansMetric, MetricFacts } from '../metric.ts';
import {
  mostProbable,
  mostProbableAtPriors,
  type ClassMetric,
  type ClassRows,
} from './class-rows.ts';
import {
  accuracyOf,
  balancedAccuracyOf,
  cellTerms,
  f1Of,
  matthewsOf,
  overClasses,
  precisionOf,
  recallOf,
  sharesOf,
  type Confusion,
} from './confusion.ts';

const atMostProbable = cellTerms(mostProbable);
const atPriors = cellTerms(mostProbableAtPriors);

type Described = Pick<MetricFacts, 'name' | 'title' | 'docs'> & Partial<MetricFacts>;

const ofShares = (
  facts: Described,
  value: (shares: Confusion) => number,
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
  accuracyOf,
);

export const balancedAccuracy = ofShares(
  {
    name: 'balancedAccuracy',
    title: 'Balanced accuracy',
    docs: 'Mean recall over the classes that came; the most probable class is answered. 1 / classes for any constant answer.',
  },
  balancedAccuracyOf,
);

export const balancedAccuracyAtPriors = ofShares(
  {
    name: 'balancedAccuracyAtPriors',
    title: 'Balanced accuracy, priors divided out',
    docs: 'Mean recall over the classes that came where the class with the greatest p / training prior is answered: argmax of p alone collapses to the majority class. 1 / classes by chance.',
  },
  balancedAccuracyOf,
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

const macro = (name: string, of: (shares: Confusion, c: number) => number): ClassMetric =>
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
