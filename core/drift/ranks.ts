/** Verdicts by rank: is the newest figure unusual among the same figures of earlier windows? */

/** Ranks that are at most this are in the top 5 %. */
export const TOP = 0.05;

/**
 * Rank of the last value among all, as a p-value: (1 + earlier values that are as large or larger) / (1 + earlier
 * values) (Davison and Hinkley 1997, 4.2.5). Exact where windows are exchangeable; ties count against drift. In (0, 1].
 */
export function rankOfLast(values: Float64Array): number {
  const newest = values.at(-1)!;
  let larger = 0;
  for (let i = 0; i < values.length - 1; i++) if (values[i]! >= newest) larger++;
  return (1 + larger) / values.length;
}

/**
 * One figure a window from several: the sum of its ranks in each of them (ties share their mean rank). The newest
 * window is ranked like every other, so that the rank of its sum is as exact as that of one figure, and nothing needs
 * to be corrected for how many were looked at.
 */
export function rankSums(figures: readonly Float64Array[]): Float64Array {
  const sums = new Float64Array(figures[0]?.length ?? 0);
  for (const values of figures) {
    const sorted = values.toSorted();
    let from = 0;
    const ranks = new Map<number, number>();
    while (from < sorted.length) {
      let to = from;
      while (to < sorted.length && sorted[to] === sorted[from]) to++;
      ranks.set(sorted[from]!, (from + to + 1) / 2);
      from = to;
    }
    values.forEach((value, i) => (sums[i]! += ranks.get(value)!));
  }
  return sums;
}

/**
 * Benjamini and Hochberg (1995): which of these p-values are discoveries at false discovery rate q. Formula: those up
 * to the largest p_(k) <= k q / m, in order of size.
 */
export function benjaminiHochberg(p: readonly number[], q: number): readonly boolean[] {
  const sorted = [...p].sort((a, b) => a - b);
  const k = sorted.findLastIndex((value, i) => value <= ((i + 1) * q) / p.length);
  return p.map((value) => k >= 0 && value <= sorted[k]!);
}
