import { quantileOfSorted } from '../metrics/bootstrap.ts';
import { countBelow, defineDriftTest } from './drift-test.ts';

/** Bins of equal frequency in the reference; ten is what the index was made with. */
const BINS = 10;
/** Added to each bin's count: a bin without rows would make the logarithm infinite. */
const HALF_A_ROW = 0.5;

/**
 * Population stability index (Lewis 1994; Siddiqi 2006), the symmetric Kullback-Leibler divergence of binned shares.
 * Formula: sum_b (w_b - r_b) ln(w_b / r_b) over the bins between the reference's deciles, each share being
 * (count + 1/2) / (rows + bins / 2). A value on an edge belongs to the bin below it.
 * Edge: equal deciles (many equal values) make one bin of two; a constant reference has two bins, at most and above it.
 */
export const psi = defineDriftTest({
  name: 'psi',
  title: 'Population stability index',
  docs: 'sum (w - r) ln(w / r) over ten bins between the deciles of the reference, half a row added to each; 0 and more.',
  kind: 'numeric',
  distance(reference, window) {
    if (reference.length === 0 || window.length === 0) return NaN;
    const edges = decilesOf(reference);
    const expected = sharesOf(reference, edges);
    const found = sharesOf(window, edges);
    let sum = 0;
    for (let b = 0; b < found.length; b++) {
      sum += (found[b]! - expected[b]!) * Math.log(found[b]! / expected[b]!);
    }
    return sum;
  },
});

/** Inner edges, strictly rising. */
function decilesOf(sorted: Float64Array): Float64Array {
  const edges = new Float64Array(BINS - 1);
  let count = 0;
  for (let b = 1; b < BINS; b++) {
    const edge = quantileOfSorted(sorted, b / BINS);
    if (edge !== edges[count - 1]) edges[count++] = edge;
  }
  return edges.subarray(0, count);
}

function sharesOf(sorted: Float64Array, edges: Float64Array): Float64Array {
  const bins = edges.length + 1;
  const shares = new Float64Array(bins);
  let before = 0;
  for (let b = 0; b < bins; b++) {
    const through = b < edges.length ? countBelow(sorted, edges[b]!, true) : sorted.length;
    shares[b] = (through - before + HALF_A_ROW) / (sorted.length + HALF_A_ROW * bins);
    before = through;
  }
  return shares;
}
