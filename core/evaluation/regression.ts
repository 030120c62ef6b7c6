import { RatchetError } from '../errors.ts';
import type { RegressionLabel } from '../labels/index.ts';
import { metrics } from '../metrics/index.ts';
import { scoreMetrics } from '../metrics/score.ts';
import { termOf } from '../metrics/metric.ts';
import { NAIVE, TRAINING_MEAN } from './references.ts';
import type { EvaluationTask, LossFacts } from './task.ts';

function labelOf({ label }: Pick<LossFacts, 'label'>): RegressionLabel {
  if (label.task === 'regression') return label;
  throw new RatchetError('evaluation.task', `${label.name} is no quantity`);
}

/** Quantities: squared errors, in proportion to the variance of the training labels. */
export const regressionTask: EvaluationTask = {
  gate: NAIVE,
  gateSays: '"nothing changes"',
  skillReference: TRAINING_MEAN,
  mainMetric: 'rankIc',

  /**
   * Formula: sum_h w_h (y_h - f_h)^2 / var_train(y_h), so that a longer horizon's larger moves do not outweigh the rest.
   */
  losses({ rows, lossWeights, trainLabelVariance }, predictions) {
    const { labels } = rows;
    const horizons = lossWeights.length;
    return termOf(rows.openTime.length, (row) => {
      let sum = 0;
      for (let k = 0; k < horizons; k++) {
        const error = labels[row * horizons + k]! - predictions[row * horizons + k]!;
        sum += (lossWeights[k]! * error * error) / trainLabelVariance[k]!;
      }
      return sum;
    });
  },

  lossesOfHorizon(facts, predictions, k) {
    const { actual, predicted } = regressionTask.rowsOfHorizon(facts, predictions, k);
    return actual.map((value, i) => (value - predicted[i]!) ** 2);
  },

  rowsOfHorizon(facts, predictions, k) {
    const { labels, openTime } = facts.rows;
    const label = labelOf(facts);
    const horizons = facts.horizons.length;
    const column = (values: Float64Array): Float64Array =>
      termOf(openTime.length, (row) => values[row * horizons + k]!);
    const actual = column(labels);
    const predicted = column(predictions);
    return {
      openTime,
      actual,
      predicted,
      actualChange: actual.map((value) => label.returnFrom(value)),
      predictedChange: predicted.map((value) => label.returnFrom(value)),
    };
  },

  scores(facts, predictions, k, { groups, draws }, only) {
    const rows = regressionTask.rowsOfHorizon(facts, predictions, k);
    const wanted = metrics.filter(({ name }) => only?.includes(name) ?? true);
    return scoreMetrics(wanted, rows, groups, draws);
  },

  references: ({ label, horizons, trainLabelMean, byInstrument }) => [
    { name: NAIVE, valuesOf: () => horizons.map(() => label.unchanged) },
    { name: TRAINING_MEAN, valuesOf: (at) => byInstrument?.[at]?.trainLabelMean ?? trainLabelMean },
  ],
};
