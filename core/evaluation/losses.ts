import { meanByTime, type TimeGroups } from '../metrics/bootstrap.ts';
import { termOf, type ForecastRows } from '../metrics/metric.ts';
import type { EvaluationInput } from './input.ts';

/**
 * Loss of each row over all horizons. Formula: sum_h w_h (y_h - f_h)^2 / var_train(y_h), so that a longer
 * horizon's larger moves do not outweigh the rest. NaN where any forecast or label is.
 */
export function weightedLosses(
  input: Pick<EvaluationInput, 'rows' | 'lossWeights' | 'trainLabelVariance'>,
  predictions: Float64Array,
): Float64Array {
  const { labels } = input.rows;
  const horizons = input.lossWeights.length;
  return termOf(input.rows.openTime.length, (row) => {
    let sum = 0;
    for (let k = 0; k < horizons; k++) {
      const error = labels[row * horizons + k]! - predictions[row * horizons + k]!;
      sum += (input.lossWeights[k]! * error * error) / input.trainLabelVariance[k]!;
    }
    return sum;
  });
}

/** Instruments are averaged per time stamp first: they move together, and are not that much more evidence. */
export function lossesByTime(
  input: EvaluationInput,
  predictions: Float64Array,
  groups: TimeGroups,
): Float64Array {
  return meanByTime(weightedLosses(input, predictions), groups);
}

/** The same forecast on every row, one value a horizon. */
export function constantForecast(rows: number, values: readonly number[]): Float64Array {
  const out = new Float64Array(rows * values.length);
  for (let row = 0; row < rows; row++) out.set(values, row * values.length);
  return out;
}

/** One horizon's column of labels and forecasts, with the moves they stand for. */
export function rowsOfHorizon(
  input: Pick<EvaluationInput, 'rows' | 'horizons' | 'label'>,
  predictions: Float64Array,
  k: number,
): ForecastRows {
  const { labels, openTime } = input.rows;
  const horizons = input.horizons.length;
  const column = (values: Float64Array): Float64Array =>
    termOf(openTime.length, (row) => values[row * horizons + k]!);
  const actual = column(labels);
  const predicted = column(predictions);
  return {
    openTime,
    actual,
    predicted,
    actualChange: actual.map((value) => input.label.returnFrom(value)),
    predictedChange: predicted.map((value) => input.label.returnFrom(value)),
  };
}
