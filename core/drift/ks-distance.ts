import { defineDriftTest } from './drift-test.ts';
import { pooledOf } from './pooled.ts';

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
  distance(reference, window, pooled = pooledOf(reference, window)) {
    if (reference.length === 0 || window.length === 0) return NaN;
    const { values, apart } = pooled;
    let largest = 0;
    for (let k = 1; k < values.length; k++) {
      const now = apart[k]!;
      if (now > largest && values[k]! > values[k - 1]!) largest = now;
    }
    return largest;
  },
});
