import { RatchetError } from '../errors.ts';
import type { ClassStatistics } from '../features/prepared.ts';
import { labelOutputs } from '../labels/index.ts';
import type { ClassRows } from '../metrics/classes/class-rows.ts';
import { classMetrics } from '../metrics/classes/index.ts';
import { surpriseOf } from '../metrics/classes/probability-metrics.ts';
import { termOf } from '../metrics/metric.ts';
import { scoreMetrics } from '../metrics/score.ts';
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
  gateWords: { short: 'the majority class', long: "the training part's class shares" },

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
    const { changes } = statisticsOf(facts);
    const outputs = labelOutputs(facts.label);
    const width = facts.horizons.length;
    const rows = facts.rows.openTime.length;
    const actual = termOf(rows, (row) => facts.rows.changes?.[row * width + k] ?? NaN);
    const predicted = termOf(rows, (row) =>
      changes[k]!.reduce(
        (sum, change, of) => sum + change * predictions[(row * width + k) * outputs + of]!,
        0,
      ),
    );
    const { openTime } = facts.rows;
    return { openTime, actual, predicted, actualChange: actual, predictedChange: predicted };
  },

  scores(facts, predictions, k, { groups, draws }) {
    const { label } = facts;
    if (label.task !== 'classification') throw notClasses(label.name);
    const moves = classificationTask.rowsOfHorizon(facts, predictions, k);
    const outputs = label.classes.length;
    const width = facts.horizons.length;
    const rows: ClassRows = {
      openTime: facts.rows.openTime,
      classes: label.classes,
      actual: termOf(moves.actual.length, (row) => facts.rows.labels[row * width + k]!),
      probabilities: termOf(moves.actual.length * outputs, (at) => {
        const row = Math.floor(at / outputs);
        return predictions[(row * width + k) * outputs + (at % outputs)]!;
      }),
      priors: statisticsOf(facts).priors[k]!,
      change: moves.actual,
      expectedChange: moves.predicted,
    };
    return scoreMetrics(classMetrics(label.classes), rows, groups, draws);
  },

  references: (facts) => [{ name: MAJORITY, values: statisticsOf(facts).priors.flat() }],
};
