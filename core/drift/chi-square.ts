import { defineDriftTest } from './drift-test.ts';

/**
 * Pearson's chi-square of homogeneity (1900) between two samples of categories, per row.
 * Formula: sum over the cells of the 2 x k table of (count - expected)^2 / expected, divided by all rows (phi squared),
 * so that windows with a few missing rows stay comparable. 0 (equal shares) to 1 (no category in common).
 * Edge: each different value is a category, and only those seen in either sample count.
 */
export const chiSquare = defineDriftTest({
  name: 'chi-square',
  title: 'Chi-square / rows',
  docs: 'Chi-square of the table of categories over its rows (phi squared), 0..1; never read with its p-value.',
  kind: 'categorical',
  distance(reference, window) {
    const [n, m] = [reference.length, window.length];
    if (n === 0 || m === 0) return NaN;
    const all = n + m;
    let [i, j, sum] = [0, 0, 0];
    while (i < n || j < m) {
      const category = Math.min(i < n ? reference[i]! : Infinity, j < m ? window[j]! : Infinity);
      const [fromI, fromJ] = [i, j];
      while (i < n && reference[i]! === category) i++;
      while (j < m && window[j]! === category) j++;
      const [a, b] = [i - fromI, j - fromJ];
      const [expectedA, expectedB] = [((a + b) * n) / all, ((a + b) * m) / all];
      sum += (a - expectedA) ** 2 / expectedA + (b - expectedB) ** 2 / expectedB;
    }
    return sum / all;
  },
});
