/** Below this many values the library's own sort is as fast. */
const FEW = 128;
const BYTES = 4;
const RADIX = 256;
/** Steps that values may be moved one by one, a value; more are left to the library. */
const MOVES = 0.25;

/**
 * Sorts finite values in place, ascending, -0 before 0: what `sort` does, in less time.
 * Method: by the upper halves of their bits (sign, exponent and 20 bits of the mantissa), byte by byte, the lowest
 * first, by counting; then values that differ in their lower halves only are moved past one another.
 */
export function sortFloats(values: Float64Array): Float64Array {
  if (values.length < FEW) return values.sort();
  let from = values.slice();
  let to = new Float64Array(values.length);
  const counts = countBytes(from);
  for (let byte = 0; byte < BYTES; byte++) {
    move(from, to, 8 * byte, counts.subarray(byte * RADIX, (byte + 1) * RADIX));
    [from, to] = [to, from];
  }
  // By magnitude; the sign, the highest bit, has put negative values after all others.
  let others = 0;
  while (others < from.length && !(from[others]! < 0 || Object.is(from[others], -0))) others++;
  values.set(from.subarray(others).reverse());
  values.set(from.subarray(0, others), from.length - others);
  return ordered(values) ? values : values.sort();
}

/** Little-endian, as all machines that this runs on: the upper half comes second. */
const halvesOf = ({ buffer }: Float64Array): Uint32Array => new Uint32Array(buffer);

/** How often each value of each byte of the upper halves occurs, byte by byte. */
function countBytes(values: Float64Array): Uint32Array {
  const halves = halvesOf(values);
  const counts = new Uint32Array(BYTES * RADIX);
  for (let at = 1; at < halves.length; at += 2) {
    const upper = halves[at]!;
    counts[upper & 255]!++;
    counts[RADIX + ((upper >>> 8) & 255)]!++;
    counts[2 * RADIX + ((upper >>> 16) & 255)]!++;
    counts[3 * RADIX + (upper >>> 24)]!++;
  }
  return counts;
}

/** One pass by the byte at `shift`; equal ones stay in their order. */
function move(from: Float64Array, to: Float64Array, shift: number, counts: Uint32Array): void {
  let before = 0;
  for (let value = 0; value < RADIX; value++) {
    const count = counts[value]!;
    counts[value] = before;
    before += count;
  }
  const halves = halvesOf(from);
  for (let at = 0; at < from.length; at++) {
    const value = (halves[2 * at + 1]! >>> shift) & 255;
    to[counts[value]!++] = from[at]!;
  }
}

/** Moves values past larger ones before them; false where that would take long. */
function ordered(values: Float64Array): boolean {
  let left = MOVES * values.length;
  for (let at = 1; at < values.length; at++) {
    const value = values[at]!;
    let place = at;
    for (; place > 0 && values[place - 1]! > value; place--) values[place] = values[place - 1]!;
    values[place] = value;
    left -= at - place;
    if (left < 0) return false;
  }
  return true;
}
