/** Fewer points where a chart has no room for all, without losing a peak. */

export type Series = ArrayLike<number>;

/**
 * Rows that a chart needs: of every column of pixels the first, the lowest, the highest and the last, in order of
 * time. All rows where there are no more than that. Values that are not finite are left out, but for one that tells
 * of a column without any.
 * @param columnOf Pixel column of a row; never falling.
 */
export function rowsByPixel(
  values: Series,
  columnOf: (row: number) => number,
  columns: number,
): readonly number[] {
  if (values.length <= 4 * columns) return Array.from({ length: values.length }, (_, row) => row);
  const rows: number[] = [];
  let start = 0;
  while (start < values.length) {
    const column = Math.floor(columnOf(start));
    let end = start + 1;
    while (end < values.length && Math.floor(columnOf(end)) === column) end++;
    rows.push(...rowsOfColumn(values, start, end));
    start = end;
  }
  return rows;
}

function rowsOfColumn(values: Series, start: number, end: number): readonly number[] {
  let first = -1;
  let last = -1;
  let low = -1;
  let high = -1;
  for (let row = start; row < end; row++) {
    const value = values[row]!;
    if (!Number.isFinite(value)) continue;
    if (first < 0) first = low = high = row;
    last = row;
    if (value < values[low]!) low = row;
    if (value > values[high]!) high = row;
  }
  if (first < 0) return [start];
  return [...new Set([first, low, high, last])].sort((a, b) => a - b);
}
