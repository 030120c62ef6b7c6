import type { LabelKind } from '../labels/index.ts';
import type { BlockDraws, Interval, TimeGroups } from '../metrics/bootstrap.ts';
import type { ForecastRows } from '../metrics/metric.ts';
import { classificationTask } from './classification.ts';
import type { EvaluationInput } from './input.ts';
import { regressionTask } from './regression.ts';

/** What losses and scores are computed from. */
export type LossFacts = Pick<
  EvaluationInput,
  'label' | 'rows' | 'horizons' | 'lossWeights' | 'trainLabelVariance' | 'classes' | 'byInstrument'
>;

/** What the intervals of one horizon's figures are drawn by. */
export interface Drawn {
  readonly groups: TimeGroups;
  readonly draws: BlockDraws;
}

/** A forecast that says the same on every row of an instrument in a fold. */
export interface Reference {
  readonly name: string;
  /** By horizon, then by output, for the training rows at a position of `byInstrument`. */
  readonly valuesOf: (instrument: number) => readonly number[];
}

/** What differs between learning a quantity and learning classes. Predictions are row-major [rows x horizons x outputs]. */
export interface EvaluationTask {
  /** The naive baseline: what a model has to beat before it may be called of any use. */
  readonly gate: string;
  /** What the naive baseline says: a loss is "lower than ..." */
  readonly gateSays: string;
  /** What skill is measured against where the market's drift must not count as skill: slices use it. */
  readonly skillReference: string;
  /** Name of the metric that slices show. */
  readonly mainMetric: string;
  /** Loss of each row over all horizons; NaN where any forecast or label is. */
  losses(facts: LossFacts, predictions: Float64Array): Float64Array;
  /** Loss of each row at one horizon, unweighted. */
  lossesOfHorizon(facts: LossFacts, predictions: Float64Array, k: number): Float64Array;
  /** One horizon's column of what came and what was forecast, with the moves they stand for. */
  rowsOfHorizon(facts: LossFacts, predictions: Float64Array, k: number): ForecastRows;
  /** Every metric of the task's catalogue at one horizon, by name; or `only` those. */
  scores(
    facts: LossFacts,
    predictions: Float64Array,
    k: number,
    drawn: Drawn,
    only?: readonly string[],
  ): Record<string, Interval>;
  references(
    facts: Pick<
      EvaluationInput,
      'label' | 'horizons' | 'trainLabelMean' | 'classes' | 'byInstrument'
    >,
  ): readonly Reference[];
}

const TASKS = { regression: regressionTask, classification: classificationTask } as const;

export const taskOf = ({ task }: Pick<LabelKind, 'task'>): EvaluationTask => TASKS[task];
