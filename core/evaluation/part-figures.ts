import { groupByTime } from '../metrics/bootstrap.ts';
import { MIN_INDEPENDENT } from '../metrics/comparison.ts';
import { meanOf } from '../metrics/metric.ts';
import { figureOf, type Evaluation } from './evaluation.ts';
import type { EvaluationInput } from './input.ts';
import { lossesByTime } from './losses.ts';
import { onRows, pickRows } from './pick-rows.ts';
import { drawAll, skillInterval } from './scores.ts';

type Interval = NonNullable<Evaluation['folds']>[number]['interval'];

export interface PartFigures {
  readonly timeStamps: number;
  /** Decision times by the longest horizon. */
  readonly independent: number;
  readonly weightedLoss: number | null;
  readonly referenceLoss: number | null;
  readonly skill: number | null;
  /** Of the skill; null with fewer than 20 independent outcomes. */
  readonly interval: Interval;
  /** Mean over decision times of what other forecasts of all rows lose on these. */
  readonly lossOf: (predictions: Float64Array) => number | null;
}

/** Figures of some test rows, at least one: what is served against a reference, both row-major of all rows. */
export function partFigures(
  input: EvaluationInput,
  rows: readonly number[],
  served: Float64Array,
  reference: Float64Array,
): PartFigures {
  const only = onRows(input, rows);
  const groups = groupByTime(only.rows.openTime);
  const width = reference.length / input.rows.openTime.length;
  const lossesOf = (predictions: Float64Array): Float64Array =>
    lossesByTime(only, pickRows(predictions, rows, width), groups);
  const [loss, other] = [lossesOf(served), lossesOf(reference)];
  const independent = groups.count / Math.max(...input.horizons);
  const byTime = {
    count: groups.count,
    group: Int32Array.from({ length: groups.count }, (_, i) => i),
  };
  return {
    timeStamps: groups.count,
    independent,
    weightedLoss: figureOf(meanOf(loss)),
    referenceLoss: figureOf(meanOf(other)),
    skill: figureOf(1 - meanOf(loss) / meanOf(other)),
    interval:
      independent < MIN_INDEPENDENT
        ? null
        : skillInterval(loss, other, byTime, drawAll(only, byTime).overall),
    lossOf: (predictions) => figureOf(meanOf(lossesOf(predictions))),
  };
}
