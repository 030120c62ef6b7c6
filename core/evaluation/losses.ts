import { meanByTime, type TimeGroups } from '../metrics/bootstrap.ts';
import type { EvaluationInput } from './input.ts';
import { taskOf } from './task.ts';

/** Instruments are averaged per time stamp first: they move together, and are not that much more evidence. */
export function lossesByTime(
  input: EvaluationInput,
  predictions: Float64Array,
  groups: TimeGroups,
): Float64Array {
  return meanByTime(taskOf(input.label).losses(input, predictions), groups);
}

/** The same forecast on every row, one value an output. */
export function constantForecast(rows: number, values: readonly number[]): Float64Array {
  const out = new Float64Array(rows * values.length);
  for (let row = 0; row < rows; row++) out.set(values, row * values.length);
  return out;
}
