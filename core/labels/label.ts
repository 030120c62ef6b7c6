import type { z } from 'zod';

/** What every kind of label says of itself. */
interface LabelFacts {
  readonly name: string;
  readonly docs: string;
  /** Formula in the terms c[t] and c[t+h]. */
  readonly formula: string;
  /** Settings beside `kind` and `horizons`, each with a default. */
  readonly params: z.ZodObject;
}

/** A quantity that a model learns about the bar `h` bars after the last bar of its window. */
export interface RegressionLabel extends LabelFacts {
  readonly task: 'regression';
  /**
   * True where the package's graph multiplies what was learnt by the last close, so that its output
   * is a price: a price level cannot be learnt from features that have no scale.
   */
  readonly multiplyByClose: boolean;
  /** The learnt quantity; both closes > 0. */
  value(close: number, laterClose: number): number;
  /** Price that a learnt quantity stands for. */
  priceFrom(value: number, close: number): number;
  /** Simple return (0.01 = 1 %) that a learnt quantity stands for. */
  returnFrom(value: number): number;
  /** The learnt quantity of "nothing changes": what a naive forecast says. */
  readonly unchanged: number;
}

/**
 * A class that a model learns to foresee. A class is named by its place in `classes`; models answer with a probability
 * for each, and its label value is that place.
 */
export interface ClassLabel extends LabelFacts {
  readonly task: 'classification';
  /** From falling to rising: the order of a model's outputs. */
  readonly classes: readonly string[];
  /** What each class says of the price: -1 falls, 0 neither, 1 rises. */
  readonly directions: readonly (-1 | 0 | 1)[];
  /** The class of "nothing changes". */
  readonly unchanged: number;
  /** Bars before (and with) the newest one that a threshold looks at. */
  thresholdBars(params: unknown): number;
  /**
   * The least move that leaves the class `unchanged`, as a fraction of the close, after the last of `close` (the
   * recorded closes up to the decision, oldest first); NaN where they are too few.
   */
  thresholdAfter(params: unknown, close: Float64Array, horizon: number): number;
  /**
   * The class of what came. `changes`: simple returns from the decision's close to each later close up to the
   * horizon's, at least one. `at`: place among them at which the class was known.
   */
  outcome(changes: Float64Array, threshold: number): { readonly of: number; readonly at: number };
}

/** A kind of label. Shared code reads `task`, never `name`. */
export type LabelKind = RegressionLabel | ClassLabel;

/** What a model has to give for each horizon: one value, or a probability a class. */
export const labelOutputs = (kind: LabelKind): number =>
  kind.task === 'classification' ? kind.classes.length : 1;

/** Number of classes; 0 of a quantity. */
export const labelClasses = (kind: LabelKind): number =>
  kind.task === 'classification' ? kind.classes.length : 0;

/** Does the graph give a price, as what was learnt times the input `close`? */
export const multipliesByClose = (kind: LabelKind): boolean =>
  kind.task === 'regression' && kind.multiplyByClose;

export function defineLabel<L extends LabelKind>(label: L): L {
  return Object.freeze(label);
}
