import { sortedQuantile } from '../scaling/quantiles.ts';

/**
 * By quantile a column: the quantile (linear interpolation) of the `window` values *before* each one; NaN where there
 * are not so many, or one of them is NaN. The window is kept sorted, so that a step costs one move of memory.
 */
export function rollingQuantiles(
  x: Float64Array,
  window: number,
  quantiles: readonly number[],
): readonly Float64Array[] {
  const out = quantiles.map(() => new Float64Array(x.length).fill(NaN));
  const sorted = new Float64Array(window);
  let size = 0;
  for (let t = 0; t < x.length; t++) {
    if (size === window) {
      quantiles.forEach((q, i) => (out[i]![t] = sortedQuantile(sorted, q)));
    }
    const oldest = t - window;
    if (oldest >= 0 && !Number.isNaN(x[oldest]!)) {
      const at = placeOf(sorted, size, x[oldest]!);
      sorted.copyWithin(at, at + 1, size);
      size--;
    }
    if (Number.isNaN(x[t]!)) continue;
    const at = placeOf(sorted, size, x[t]!);
    sorted.copyWithin(at + 1, at, size);
    sorted[at] = x[t]!;
    size++;
  }
  return out;
}

/** Number of values below `value` among the first `size`, which ascend. */
function placeOf(sorted: Float64Array, size: number, value: number): number {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
