/** The catalogue of forecast metrics: a new one is a file with `defineMetric` and a line here. */
import { RatchetError } from '../errors.ts';
import { alwaysUp, directionAccuracy2, directionAccuracy3 } from './direction.ts';
import { informationCoefficients } from './information-coefficient.ts';
import type { ForecastRows, Metric } from './metric.ts';
import { mae, mse, r2, rmse } from './regression.ts';

export const metrics: readonly Metric[] = [
  mse,
  mae,
  rmse,
  r2,
  directionAccuracy3,
  directionAccuracy2,
  alwaysUp,
  ...informationCoefficients<ForecastRows>(({ openTime, predictedChange, actualChange }) => ({
    openTime,
    forecast: predictedChange,
    outcome: actualChange,
  })),
];

/** The metric of that name; throws `metrics.unknown` with the names there are. */
export function metricOrThrow(name: string): Metric {
  const metric = metrics.find((m) => m.name === name);
  if (metric) return metric;
  const names = metrics.map((m) => m.name).join(', ');
  throw new RatchetError('metrics.unknown', `no metric "${name}"; there are ${names}`);
}
