import { kernel, minus, sumOf, times, type Kernel } from '../indicators/kernel.ts';
import type { OutlierReference } from '../packages/outliers.ts';
import { columnMemoryIfAny, ROW_BYTES } from '../wasm.ts';

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

/** Columns that a sketch makes one number of: neighbours are often of one indicator, and move together. */
const SKETCHED = 8;
/** What rounding can make of a bound: less than this share of it. */
const CERTAIN = 1 - 1e-9;
/** Numbers of a sketch that machine code is made for: each is two arguments of a function. */
const MAX_COMPILED = 128;

/**
 * Sketch of the row at `from`: by block of columns the sum of their values over the root of their number. The squared
 * distance of two sketches is at most that of their rows (Cauchy and Schwarz), for an eighth of the work.
 */
function sketchOf(rows: Float32Array | Float64Array, from: number, width: number): number[] {
  const sketch: number[] = [];
  for (let first = 0; first < width; first += SKETCHED) {
    const end = Math.min(width, first + SKETCHED);
    let sum = 0;
    for (let c = first; c < end; c++) sum += rows[from + c]!;
    sketch.push(sum / Math.sqrt(end - first));
  }
  return sketch;
}

/** Squared distances of a sketch to those of all points; they hold until it is asked again. */
type SketchDistances = (own: readonly number[]) => Float64Array;

const kernels = new Map<number, Kernel>();

/** For so many columns of numbers, one of each point, and as many numbers: sum over k of (column k - number k)^2. */
function kernelOf(columns: number): Kernel {
  const known = kernels.get(columns);
  if (known) return known;
  const made = kernel(columns, columns, (all, own) =>
    sumOf(
      all.map((column, k) => {
        const difference = minus(column, own[k]!);
        return times(difference, difference);
      }),
    ),
  );
  kernels.set(columns, made);
  return made;
}

/** Writes the sketches of all points, number by number of a sketch, behind the first `count` numbers. */
function writeSketches({ points, offset }: OutlierReference, into: Float64Array): void {
  const width = offset.length;
  const count = points.length / width;
  for (let i = 0; i < count; i++) {
    const sketch = sketchOf(points, i * width, width);
    for (const [k, value] of sketch.entries()) into[(k + 1) * count + i] = value;
  }
}

function openSketches(reference: OutlierReference): SketchDistances {
  const width = reference.offset.length;
  const count = reference.points.length / width;
  const blocks = Math.ceil(width / SKETCHED);
  const size = (blocks + 1) * count;
  const memory = blocks > MAX_COMPILED ? undefined : columnMemoryIfAny(size * ROW_BYTES);
  const numbers = memory ? new Float64Array(memory.buffer, 0, size) : new Float64Array(size);
  writeSketches(reference, numbers);
  const distances = numbers.subarray(0, count);
  if (memory) {
    const run = kernelOf(blocks).over(memory);
    const addresses = Array.from({ length: blocks + 1 }, (_, k) => k * count * ROW_BYTES);
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

const opened = new WeakMap<OutlierReference, SketchDistances>();

function sketchesOf(reference: OutlierReference): SketchDistances {
  const known = opened.get(reference);
  if (known) return known;
  const made = openSketches(reference);
  opened.set(reference, made);
  return made;
}

function smallestAt(values: Float64Array): number {
  let [smallest, at] = [Infinity, 0];
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < smallest) [smallest, at] = [values[i]!, i];
  }
  return at;
}

/**
 * Squared distance of a standardised row to the nearest point of a reference: the least of those to all of them, each summed
 * from its first column on.
 */
export function nearestSquared(reference: OutlierReference, z: Float64Array): number {
  const { points } = reference;
  const width = z.length;
  const bounds = sketchesOf(reference)(sketchOf(z, 0, width));
  // What looks nearest is near: most others are further away, as their sketches say already.
  const first = smallestAt(bounds);
  let best = squaredDistance(z, 0, points, first * width, width, Infinity);
  for (let i = 0; i < bounds.length; i++) {
    if (bounds[i]! * CERTAIN >= best || i === first) continue;
    const distance = squaredDistance(z, 0, points, i * width, width, best);
    if (distance < best) best = distance;
  }
  return best;
}
