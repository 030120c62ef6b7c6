/** The catalogue of forecast metrics: a new one is a file with `defineMetric` and a line here. */
import { RatchetError } from '../errors.ts';
import { alwaysUp, directionAccuracy2, directionAccuracy3 } from './direction.ts';
import type { Metric } from './metric.ts';
import { mae, mse, r2, rmse } from './regression.ts';

export const metrics: ReadonlyMap<string, Metric> = new Map(
  [mse, mae, rmse, r2, directionAccuracy3, directionAccuracy2, alwaysUp].map((m) => [m.name, m]),
);

/** The metric of a name; throws `metrics.unknown` with the names there are. */
export function metricOrThrow(name: string): Metric {
  const metric = metrics.get(name);
  if (metric) return metric;
  throw new RatchetError(
    'metrics.unknown',
    `there is no metric ${JSON.stringify(name)}; known: ${[...metrics.keys()].join(', ')}`,
  );
}
