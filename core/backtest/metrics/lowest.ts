/** The `count` lowest values in rising order (all where there are fewer), without sorting the rest. No NaN. */
export function lowest(values: Float64Array, count: number): Float64Array {
  const copy = values.slice();
  if (count < copy.length) select(copy, count);
  return copy.subarray(0, count).sort();
}

/** Hoare's selection: puts the `count` lowest values first, in no order. */
function select(values: Float64Array, count: number): void {
  let from = 0;
  let to = values.length - 1;
  while (from < to) {
    const pivot = values[(from + to) >>> 1]!;
    let low = from;
    let high = to;
    while (low <= high) {
      while (values[low]! < pivot) low++;
      while (values[high]! > pivot) high--;
      if (low > high) break;
      const swapped = values[low]!;
      values[low++] = values[high]!;
      values[high--] = swapped;
    }
    if (count - 1 <= high) to = high;
    else if (count - 1 >= low) from = low;
    else return;
  }
}
