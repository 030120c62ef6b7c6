/** The `count` lowest values in rising order (all where there are fewer), without sorting the rest. No NaN. */
export function lowest(values: Float64Array, count: number): Float64Array {
  if (count >= values.length) return values.slice().sort();
  const few = upTo(values, boundOf(values, count));
  const enough = few.length >= count ? few : values.slice();
  if (count < enough.length) select(enough, count);
  return enough.subarray(0, count).sort();
}

/** So many values, one in so many, tell about where the lowest ones end. */
const SAMPLE = 1_000;

/** A value that most likely is at or above the `count` lowest, and not far above. */
function boundOf(values: Float64Array, count: number): number {
  const step = Math.ceil(values.length / SAMPLE);
  const size = Math.ceil(values.length / step);
  const sample = new Float64Array(size);
  for (let k = 0; k < size; k++) sample[k] = values[k * step]!;
  const expected = count / step;
  return sample.sort()[Math.min(size - 1, Math.ceil(expected + 3 * Math.sqrt(expected)))]!;
}

function upTo(values: Float64Array, bound: number): Float64Array {
  let count = 0;
  for (let t = 0; t < values.length; t++) if (values[t]! <= bound) count++;
  const out = new Float64Array(count);
  let at = 0;
  for (let t = 0; t < values.length; t++) if (values[t]! <= bound) out[at++] = values[t]!;
  return out;
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
