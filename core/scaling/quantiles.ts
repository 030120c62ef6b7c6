/** The values of one column in some rows of a row-major matrix. */
export function columnOf(
  matrix: Float64Array,
  columns: number,
  rows: Int32Array,
  column: number,
): Float64Array {
  const values = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) values[i] = matrix[rows[i]! * columns + column]!;
  return values;
}

/** Quantile `q` (0..1) of ascending values, by linear interpolation between neighbours. */
export function sortedQuantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (at - below) * (high - low);
}
