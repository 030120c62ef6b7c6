import type { TreeEnsemble } from '../../onnx/trees/ensemble.ts';
import type { FeatureImportance } from '../model.ts';

/** What the raw scores of a booster are: a value, a log-odds, or a logit a class. */
export type TreeTask =
  | { readonly kind: 'regression' }
  | { readonly kind: 'binary' }
  | { readonly kind: 'multiclass'; readonly classes: number };

/** The task of a label with that many classes (0: a quantity). */
export function taskOf(classes: number): TreeTask {
  if (classes === 0) return { kind: 'regression' };
  return classes === 2 ? { kind: 'binary' } : { kind: 'multiclass', classes };
}

/** Raw scores of a row. */
export const scoresOf = (task: TreeTask): number => (task.kind === 'multiclass' ? task.classes : 1);

/** Answers of a row: a value, or a probability a class. */
export const answersOf = (task: TreeTask): number => (task.kind === 'binary' ? 2 : scoresOf(task));

/** Rows to learn from; NaN in `x` is a missing value. */
export interface TreeRows {
  /** Row-major [rows x columns]. */
  readonly x: Float64Array;
  readonly columns: number;
  /** [rows]: scaled label units, or class indices. */
  readonly y: Float64Array;
  /** [rows]; absent: all 1. */
  readonly weights?: Float64Array | undefined;
}

export interface GrowthJob<P> {
  readonly params: P;
  readonly task: TreeTask;
  readonly train: TreeRows;
  /** Absent in a refit. */
  readonly valid?: TreeRows | undefined;
  readonly seed: number;
  /** What `save` gave of a booster of the same task: its trees come first, and new ones correct what it says. */
  readonly after?: Uint8Array | undefined;
}

/** A booster that grows in native memory; `dispose` frees it. */
export interface GrowingBooster {
  /** Grows the trees of one more round. */
  grow(): void;
  /** Answers for a part's rows, row-major [rows x answers]. */
  answers(part: 'train' | 'valid'): Float64Array;
  /** Takes the trees grown so far as the ones that `save` gives. */
  keep(): void;
  /** The library's own text of the trees kept, without hyperparameters: same trees, same bytes. */
  save(): Uint8Array;
  dispose(): void;
}

/** A finished booster in native memory; `dispose` frees it. */
export interface LoadedBooster {
  /** Raw scores, row-major [rows x scores]. `x` row-major [rows x columns]. */
  raw(x: Float64Array, columns: number): Float64Array;
  /**
   * TreeSHAP (Lundberg et al., 2018) of the raw scores, row-major [rows x scores x (columns + 1)]: a column's share of
   * the score, last what the score is without knowing any; they add up to the raw score.
   */
  contributions(x: Float64Array, columns: number): Float64Array;
  importance(columns: number): FeatureImportance;
  dispose(): void;
}

/** A library of boosted trees. */
export interface TreeEngine<P> {
  /** Stands in the files it makes; another engine refuses them. */
  readonly name: string;
  start(job: GrowthJob<P>): GrowingBooster;
  /** `text` must be what `save` gave: the parsers behind this trust it. */
  load(text: Uint8Array): LoadedBooster;
  /** The trees of `save` for the exported graph. */
  read(text: Uint8Array): TreeEnsemble;
  libraries(): Readonly<Record<string, string>>;
}
