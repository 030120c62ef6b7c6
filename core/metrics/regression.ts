/** Squared and absolute error metrics of forecasts, in label units. */
import { defineMetric, termOf } from './metric.ts';

/** Mean squared error. Formula: mean((y - f)^2). Lower is better, 0 at best. Empty rows: NaN. */
export const mse = defineMetric({
  name: 'mse',
  title: 'MSE',
  docs: 'Mean squared error: mean((actual - forecast)^2), label units squared. 0 at best.',
  direction: 'lower',
  format: 'number',
  terms: ({ actual, predicted }) => [
    termOf(actual.length, (i) => (actual[i]! - predicted[i]!) ** 2),
  ],
  value: ([squared = NaN]) => squared,
});

/** Root mean squared error. Formula: sqrt(mean((y - f)^2)). Lower is better, label units. */
export const rmse = defineMetric({
  name: 'rmse',
  title: 'RMSE',
  docs: 'Root mean squared error: sqrt(mean((actual - forecast)^2)), label units. 0 at best.',
  direction: 'lower',
  format: 'number',
  terms: mse.terms,
  value: ([squared = NaN]) => Math.sqrt(squared),
});

/** Mean absolute error. Formula: mean(abs(y - f)). Lower is better, label units. */
export const mae = defineMetric({
  name: 'mae',
  title: 'MAE',
  docs: 'Mean absolute error: mean(abs(actual - forecast)), label units. 0 at best.',
  direction: 'lower',
  format: 'number',
  terms: ({ actual, predicted }) => [
    termOf(actual.length, (i) => Math.abs(actual[i]! - predicted[i]!)),
  ],
  value: ([absolute = NaN]) => absolute,
});

/**
 * Coefficient of determination about the mean of the *test* rows.
 * Formula: 1 - sum((y - f)^2) / sum((y - mean(y))^2). Higher is better, 1 at best, unbounded below.
 * Edge cases: NaN where the actual values do not vary. Reported, never gated: a random walk has an R2
 * near 1 on price levels and below 0 on returns.
 * The second term is shifted by the first label, which changes nothing but the rounding.
 */
export const r2 = defineMetric({
  name: 'r2',
  title: 'R2',
  docs: 'R2 about the mean of the test rows: 1 - SSE/SST. 1 at best; below 0 is worse than the test mean, which no forecaster could know. Never gated.',
  direction: 'higher',
  format: 'number',
  terms: ({ actual, predicted }) => {
    const shift = actual[0] ?? 0;
    return [
      termOf(actual.length, (i) => (actual[i]! - predicted[i]!) ** 2),
      termOf(actual.length, (i) => actual[i]! - shift),
      termOf(actual.length, (i) => (actual[i]! - shift) ** 2),
    ];
  },
  value: ([squared = NaN, mean = NaN, square = NaN]) => {
    const variance = square - mean * mean;
    return variance > 1e-15 * square ? 1 - squared / variance : NaN;
  },
});
