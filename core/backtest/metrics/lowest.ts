import { sortFloats } from '../../sort-floats.ts';

/** The `count` lowest values in rising order (all where there are fewer), without sorting the rest. No NaN. */
export function lowest(values: Float64Array, count: number): Float64Array {
  if (count >= values.length) return values.slice().sort();
  const few = upTo(values, boundOf(values, count), 2 * count);
  const enough = few === undefined || few.length < count ? values.slice() : few;
  return sortFloats(enough).subarray(0, count);
}

/** So many values, one in so many, tell about where the lowest ones end. */
const SAMPLE = 1_000;

/** A value that most likely is at or above the `count` lowest, and not far above. */
function boundOf(values: Float64Array, count: number): number {
  const step = Math.ceil(values.length / SAMPLE);
  const size = Math.ceil(values.length / step);
  const sample = new Float64Array(size);
  for (let k = 0; k < size; k++) sample[k] = values[k * step]!;
  const expected = count / step;
  return sortFloats(sample)[Math.min(size - 1, Math.ceil(expected + 3 * Math.sqrt(expected)))]!;
}

/** The values up to `bound`; undefined where they are more than `most`. */
function upTo(values: Float64Array, bound: number, most: number): Float64Array | undefined {
  const out = new Float64Array(most);
  let at = 0;
  for (let t = 0; t < values.length; t++) {
    const value = values[t]!;
    if (value > bound) continue;
    if (at === most) return undefined;
    out[at++] = value;
  }
  return out.subarray(0, at);
}
