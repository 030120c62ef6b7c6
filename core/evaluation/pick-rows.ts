import type { EvaluationInput } from './input.ts';

/** Some rows of a row-major column of `width` values a row. */
export function pickRows(
  values: Float64Array,
  rows: ArrayLike<number>,
  width: number,
): Float64Array {
  const out = new Float64Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    out.set(values.subarray(rows[i]! * width, (rows[i]! + 1) * width), i * width);
  }
  return out;
}

/** The same input on some of its test rows; forecasts are left as they are. */
export function onRows(input: EvaluationInput, rows: ArrayLike<number>): EvaluationInput {
  const { openTime, labels, changes, instrument, regime, fold, training } = input.rows;
  const horizons = input.horizons.length;
  const picked = (column: Int32Array | undefined): Int32Array | undefined =>
    column && Int32Array.from(rows, (row) => column[row]!);
  return {
    ...input,
    rows: {
      openTime: pickRows(openTime, rows, 1),
      labels: pickRows(labels, rows, horizons),
      changes: changes && pickRows(changes, rows, horizons),
      instrument: picked(instrument),
      regime: picked(regime),
      fold: picked(fold),
      training: picked(training),
    },
  };
}
