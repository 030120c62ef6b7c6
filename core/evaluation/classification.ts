import { RatchetError } from '../errors.ts';
import type { ClassStatistics } from '../features/prepared.ts';
import { labelOutputs } from '../labels/index.ts';
import type { ClassRows } from '../metrics/classes/class-rows.ts';
import { classMetrics, MAIN_CLASS_METRIC } from '../metrics/classes/index.ts';
import { surpriseOf } from '../metrics/classes/probability-metrics.ts';
import { termOf } from '../metrics/metric.ts';
import { scoreMetrics } from '../metrics/score.ts';
import { trainingAt } from './input.ts';
import { MAJORITY } from './references.ts';
import type { EvaluationTask, LossFacts } from './task.ts';

function statisticsOf({ classes, label }: Pick<LossFacts, 'classes' | 'label'>): ClassStatistics {
  if (classes) return classes;
  throw new RatchetError(
    'evaluation.task',
    `nothing is known of the training part's classes of ${label.name}`,
  );
}

const notClasses = (name: string): RatchetError =>
  new RatchetError('evaluation.task', `${name} has no classes`);

/** Class probabilities: log loss, against the shares of the classes in the training part. */
export const classificationTask: EvaluationTask = {
  gate: MAJORITY,
  gateSays: "the training part's class shares",
  skillReference: MAJORITY,
  mainMetric: MAIN_CLASS_METRIC,

  /** Formula: sum_h w_h (-ln p_h(class that came)), p clipped to .001 .. .999. */
  losses(facts, predictions) {
    const columns = facts.horizons.map((_, k) =>
      classificationTask.lossesOfHorizon(facts, predictions, k),
    );
    return termOf(facts.rows.openTime.length, (row) =>
      facts.lossWeights.reduce((sum, weight, k) => sum + weight * columns[k]![row]!, 0),
    );
  },

  lossesOfHorizon({ label, rows, horizons }, predictions, k) {
    const outputs = labelOutputs(label);
    const width = horizons.length;
    return termOf(rows.openTime.length, (row) => {
      const came = rows.labels[row * width + k]!;
      return surpriseOf(predictions[(row * width + k) * outputs + came]!);
    });
  },

  /** As moves: what came, and the mean training return of each class weighted by its probability. */
  rowsOfHorizon(facts, predictions, k) {
    const { changes: ofUnit } = statisticsOf(facts);
    const { training } = facts.rows;
    // Of several folds, what the row's own fold knew.
    const changesOf = (row: number) =>
      training ? trainingOf(facts, training[row]!).changes : ofUnit;
    const outputs = labelOutputs(facts.label);
    const width = facts.horizons.length;
    const rows = facts.rows.openTime.length;
    const actual = termOf(rows, (row) => facts.rows.changes?.[row * width + k] ?? NaN);
    const predicted = termOf(rows, (row) =>
      changesOf(row)[k]!.reduce(
        (sum, change, of) => sum + change * predictions[(row * width + k) * outputs + of]!,
        0,
      ),
    );
    const { openTime } = facts.rows;
    return { openTime, actual, predicted, actualChange: actual, predictedChange: predicted };
  },

  scores(facts, predictions, k, { groups, draws }, only) {
    const rows = classRowsOf(facts, predictions, k);
    const wanted = classMetrics(rows.classes).filter(({ name }) => only?.includes(name) ?? true);
    return scoreMetrics(wanted, rows, groups, draws);
  },

  references: (facts) => [
    { name: MAJORITY, valuesOf: (at) => trainingOf(facts, at).priors.flat() },
  ],
};

/** Of the training rows at a position of `byInstrument`, else of the unit. */
const trainingOf = (
  facts: Pick<LossFacts, 'classes' | 'label' | 'byInstrument'>,
  at: number,
): ClassStatistics => facts.byInstrument?.[at]?.classes ?? statisticsOf(facts);

/** One horizon of the test rows, as class metrics read them. Throws `evaluation.task` of a quantity. */
export function classRowsOf(facts: LossFacts, predictions: Float64Array, k: number): ClassRows {
  const { label } = facts;
  if (label.task !== 'classification') throw notClasses(label.name);
  const moves = classificationTask.rowsOfHorizon(facts, predictions, k);
  const { openTime, labels } = facts.rows;
  const outputs = label.classes.length;
  const width = facts.horizons.length;
  const byClass = (at: (row: number, of: number) => number): Float64Array =>
    termOf(openTime.length * outputs, (i) => at(Math.floor(i / outputs), i % outputs));
  return {
    openTime,
    classes: label.classes,
    actual: termOf(openTime.length, (row) => labels[row * width + k]!),
    probabilities: byClass((row, of) => predictions[(row * width + k) * outputs + of]!),
    priors: byClass((row, of) => trainingOf(facts, trainingAt(facts.rows, row)).priors[k]![of]!),
    change: moves.actual,
    expectedChange: moves.predicted,
  };
}
