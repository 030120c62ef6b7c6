import { kernel, minus, sumOf, times, type Kernel } from '../indicators/kernel.ts';
import type { OutlierReference } from '../packages/outliers.ts';
import { columnMemoryIfAny, ROW_BYTES } from '../wasm.ts';
import { PLACES, directionsBetween, writeSketch } from './sketches.ts';

/** Columns between two looks at whether a distance is too large already. */
const BLOCK = 8;

/** Squared distance of two rows of `width` columns; `limit` or more as soon as it is known to reach it. */
export function squaredDistance(
  a: Float32Array | Float64Array,
  aAt: number,
  b: Float32Array,
  bAt: number,
  width: number,
  limit: number,
): number {
  let sum = 0;
  let c = 0;
  while (c < width) {
    const end = Math.min(width, c + BLOCK);
    for (; c < end; c++) {
      const difference = a[aAt + c]! - b[bAt + c]!;
      sum += difference * difference;
    }
    if (sum >= limit) return sum;
  }
  return sum;
}

/** Squared distances of a sketch to those of all points; they hold until it is asked again. */
type SketchDistances = (own: Float64Array) => Float64Array;

let compiled: Kernel | undefined;

/** Sum over k of (column k - number k)^2. */
const distanceKernel = (): Kernel =>
  (compiled ??= kernel(PLACES, PLACES, (columns, numbers) =>
    sumOf(
      columns.map((column, k) => {
        const difference = minus(column, numbers[k]!);
        return times(difference, difference);
      }),
    ),
  ));

/** Number by number of a sketch those of all points, behind room for as many distances. */
function sketchDistances(
  { points, offset }: OutlierReference,
  directions: Float64Array,
  memoryOf: typeof columnMemoryIfAny,
): SketchDistances {
  const width = offset.length;
  const count = points.length / width;
  const size = (PLACES + 1) * count;
  const memory = memoryOf(size * ROW_BYTES);
  const numbers = memory ? new Float64Array(memory.buffer, 0, size) : new Float64Array(size);
  const sketch = new Float64Array(PLACES);
  for (let i = 0; i < count; i++) {
    writeSketch(directions, points.subarray(i * width, (i + 1) * width), sketch);
    for (let k = 0; k < PLACES; k++) numbers[(k + 1) * count + i] = sketch[k]!;
  }
  const distances = numbers.subarray(0, count);
  if (memory) {
    const run = distanceKernel().over(memory);
    const addresses = Array.from({ length: PLACES + 1 }, (_, k) => k * count * ROW_BYTES);
    return (own) => {
      run(...addresses, ...own, 0, count);
      return distances;
    };
  }
  return (own) => {
    distances.fill(0);
    for (const [k, value] of own.entries()) {
      const at = (k + 1) * count;
      for (let i = 0; i < count; i++) distances[i]! += (numbers[at + i]! - value) ** 2;
    }
    return distances;
  };
}

function smallestAt(values: Float64Array): number {
  let [smallest, at] = [Infinity, 0];
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < smallest) [smallest, at] = [values[i]!, i];
  }
  return at;
}

const sizeOf = (row: Float32Array | Float64Array): number => {
  let sum = 0;
  for (let c = 0; c < row.length; c++) sum += row[c]! * row[c]!;
  return Math.sqrt(sum);
};

/** By column, of the sizes of two rows: more than what rounding adds to the distance of their sketches. */
const ROUNDING = 2 ** -46;
/** More than what directions that are not quite at right angles add, of a squared distance. */
const SLANT = 1 + 1e-9;

/** Squared distance of a standardised row to the nearest point: the least of those to all of them, each summed from its first column on. */
export type PointSearch = (z: Float64Array) => number;

/**
 * The search for the nearest point of a reference. Sketches of all points are compared first, which needs a fifth of the
 * work; a point is looked at where its sketch does not say that it is further away than one that was. `memoryOf`: memory for
 * machine code, if any.
 */
export function pointSearch(
  reference: OutlierReference,
  memoryOf: typeof columnMemoryIfAny = columnMemoryIfAny,
): PointSearch {
  const { points } = reference;
  const width = reference.offset.length;
  const count = points.length / width;
  const directions = directionsBetween(points, width);
  const distancesTo = sketchDistances(reference, directions, memoryOf);
  let largest = 0;
  for (let i = 0; i < count; i++) {
    largest = Math.max(largest, sizeOf(points.subarray(i * width, (i + 1) * width)));
  }
  const own = new Float64Array(PLACES);
  return (z) => {
    writeSketch(directions, z, own);
    const bounds = distancesTo(own);
    const rounding = width * ROUNDING * (sizeOf(z) + largest);
    // A sketch that is further away than this is of a point that is further away than `best`.
    const limitOf = (best: number): number => (Math.sqrt(best) + rounding) ** 2 * SLANT;
    const first = smallestAt(bounds);
    let best = squaredDistance(z, 0, points, first * width, width, Infinity);
    let limit = limitOf(best);
    for (let i = 0; i < count; i++) {
      if (bounds[i]! > limit) continue;
      const distance = squaredDistance(z, 0, points, i * width, width, best);
      if (distance >= best) continue;
      best = distance;
      limit = limitOf(best);
    }
    return best;
  };
}
