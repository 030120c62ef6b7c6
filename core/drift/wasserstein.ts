import { quantileOfSorted } from '../metrics/bootstrap.ts';
import { defineDriftTest } from './drift-test.ts';
import { pooledOf } from './pooled.ts';

/**
 * Wasserstein distance of order 1 (Kantorovich 1942; Vallender 1974 for one dimension), in spreads of the reference.
 * Formula: integral |F(x) - G(x)| dx over the reference's interquartile range. Unlike the Kolmogorov distance it sees
 * how far values moved. Edge: an interquartile range of 0 is replaced by the reference's population SD; a constant
 * reference leaves the distance in the column's own units.
 */
export const wasserstein = defineDriftTest({
  name: 'wasserstein',
  title: 'Wasserstein distance / IQR',
  docs: 'Area between the two empirical distribution functions over the interquartile range of the reference; 0 and more.',
  kind: 'numeric',
  distance(reference, window, pooled = pooledOf(reference, window)) {
    if (reference.length === 0 || window.length === 0) return NaN;
    const { values, apart } = pooled;
    let area = 0;
    let before = values[0]!;
    for (let k = 1; k < values.length; k++) {
      const value = values[k]!;
      area += apart[k]! * (value - before);
      before = value;
    }
    return area / spreadOf(reference);
  },
});

function spreadOf(sorted: Float64Array): number {
  const range = quantileOfSorted(sorted, 0.75) - quantileOfSorted(sorted, 0.25);
  if (range > 0) return range;
  if (sorted[0] === sorted.at(-1)) return 1;
  let mean = 0;
  for (const x of sorted) mean += x / sorted.length;
  let squares = 0;
  for (const x of sorted) squares += (x - mean) ** 2;
  return Math.sqrt(squares / sorted.length);
}
