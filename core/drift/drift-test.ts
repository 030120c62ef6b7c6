import type { Pooled } from './pooled.ts';

/**
 * How far the values of a window lie from those of a reference. A drift test measures a distance and never judges it:
 * bars depend on their neighbours, so textbook p-values reject nearly every month (STATISTICS 4). Whether a distance is
 * large is told by its rank among the same distances in the model's own history.
 */
export interface DriftTest {
  readonly name: string;
  /** As people read it. */
  readonly title: string;
  /** Formula, range and edge cases, in one or two sentences. */
  readonly docs: string;
  /** `categorical`: the values are names of categories, their order and size mean nothing. */
  readonly kind: ColumnKind;
  /**
   * Distance of the window from the reference; 0 and more, greater is further. Both sorted ascending and finite.
   * NaN when either is empty. O(reference + window). `pooled`: both in one order, where the caller has it.
   */
  distance(reference: Float64Array, window: Float64Array, pooled?: Pooled): number;
}

export type ColumnKind = 'numeric' | 'categorical';

export function defineDriftTest(test: DriftTest): DriftTest {
  return Object.freeze(test);
}

/** Number of entries of an ascending array that are smaller than `value` (`orEqual`: or equal to it). */
export function countBelow(sorted: Float64Array, value: number, orEqual = false): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const below = orEqual ? sorted[middle]! <= value : sorted[middle]! < value;
    if (below) low = middle + 1;
    else high = middle;
  }
  return low;
}
