import { kernel, type Kernel, largest, smallest } from './kernel.ts';
import { type BarPositions, columnBy, columnOf } from './positions.ts';

/**
 * Extremes of sliding windows; exact, hence the same wherever history starts.
 *
 * Method: a window of n bars is two windows of p bars, p the largest power of two that is no longer than it; where they
 * overlap does not matter. Those of a column are made once for all its windows.
 */

/** Largest of the last `n` values; NaN where one of them is. */
export const windowMax = (x: Float64Array, n: number, positions: BarPositions): Float64Array =>
  n === 1 ? x : extreme(x, n, positions, windowMax, larger, 'max');

/** Smallest of the last `n` values; NaN where one of them is. */
export const windowMin = (x: Float64Array, n: number, positions: BarPositions): Float64Array =>
  n === 1 ? x : extreme(x, n, positions, windowMin, smaller, 'min');

const larger = kernel(2, 0, ([a, b]) => largest(a!, b!));
const smaller = kernel(2, 0, ([a, b]) => smallest(a!, b!));

const extreme = (
  x: Float64Array,
  n: number,
  positions: BarPositions,
  shorter: typeof windowMax,
  ofTwo: Kernel,
  name: string,
): Float64Array =>
  positions.share(x, `${name} ${n}`, () => {
    const p = 2 ** (Math.ceil(Math.log2(n)) - 1);
    const part = shorter(x, p, positions);
    return columnBy(positions, ofTwo, [part, [part, n - p]], [], n - 1);
  });

/** Bars since the largest of the last `n` values (0: this bar); the latest wins ties. */
export const barsSinceMax = (x: Float64Array, n: number, positions: BarPositions): Float64Array =>
  positions.share(x, `bars since max ${n}`, () =>
    columnOf(positions, [x, windowMax(x, n, positions), n, { at: -1 }], sinceEqual, n - 1),
  );

/** Bars since the smallest of the last `n` values (0: this bar); the latest wins ties. */
export const barsSinceMin = (x: Float64Array, n: number, positions: BarPositions): Float64Array =>
  positions.share(x, `bars since min ${n}`, () =>
    columnOf(positions, [x, windowMin(x, n, positions), n, { at: -1 }], sinceEqual, n - 1),
  );

/** Bars since x was last what the extreme of its window is; `known.at`: the row at which that was. */
function sinceEqual(
  out: Float64Array,
  [x, extremes, n, known]: readonly [Float64Array, Float64Array, number, { at: number }],
  from: number,
  to: number,
): void {
  let at = from === n - 1 ? -1 : known.at;
  for (let t = from; t < to; t++) {
    const value = extremes[t]!;
    if (x[t] === value) at = t;
    else if (at <= t - n) {
      at = t - 1;
      while (at > t - n && x[at] !== value) at--;
    }
    out[t] = value === value ? t - at : NaN;
  }
  known.at = at;
}
