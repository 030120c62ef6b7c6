import { defineDriftTest } from './drift-test.ts';

/**
 * Distance of Kolmogorov (1933) and Smirnov (1939) between two samples.
 * Formula: max_x |F(x) - G(x)| of the two empirical distribution functions. Only order counts, so any rising
 * transformation of the values leaves it as it is. Edge: equal values step both functions at once.
 */
export const ksDistance = defineDriftTest({
  name: 'ks',
  title: 'Kolmogorov-Smirnov distance',
  docs: 'Largest distance between the two empirical distribution functions, 0..1; never read with its p-value.',
  kind: 'numeric',
  distance(reference, window) {
    const [n, m] = [reference.length, window.length];
    if (n === 0 || m === 0) return NaN;
    let i = 0;
    let j = 0;
    let largest = 0;
    // Between two values of the window the distance only rises: it is looked at before and after each of them.
    while (j < m) {
      const value = window[j]!;
      while (i < n && reference[i]! < value) i++;
      largest = Math.max(largest, Math.abs(i / n - j / m));
      while (i < n && reference[i]! === value) i++;
      while (j < m && window[j]! === value) j++;
      largest = Math.max(largest, Math.abs(i / n - j / m));
    }
    return largest;
  },
});
