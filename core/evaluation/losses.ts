import { meanByTime, type TimeGroups } from '../metrics/bootstrap.ts';
import { trainingAt, type EvaluationInput } from './input.ts';
import { taskOf, type Reference } from './task.ts';

/** Instruments are averaged per time stamp first: they move together, and are not that much more evidence. */
export function lossesByTime(
  input: EvaluationInput,
  predictions: Float64Array,
  groups: TimeGroups,
): Float64Array {
  return meanByTime(taskOf(input.label).losses(input, predictions), groups);
}

/** What a reference says on every row: the same on all rows of an instrument in a fold. */
export function referenceForecast(
  { rows }: Pick<EvaluationInput, 'rows'>,
  { valuesOf }: Reference,
): Float64Array {
  const width = valuesOf(0).length;
  const out = new Float64Array(rows.openTime.length * width);
  for (let row = 0; row < rows.openTime.length; row++) {
    out.set(valuesOf(trainingAt(rows, row)), row * width);
  }
  return out;
}
