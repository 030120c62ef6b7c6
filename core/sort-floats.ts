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
  const others = beforeNegative(from);
  values.set(from.subarray(others).reverse());
  values.set(from.subarray(0, others), from.length - others);
  return ordered(values) ? values : values.sort();
}

/** Values with a tag each. */
export interface Tagged {
  readonly values: Float64Array;
  readonly tags: Uint8Array;
}

/** The bits that are counted at once where there are many values: three times as many are a value's upper half, and one. */
const DIGIT_BITS = 11;
const DIGITS = 3;
const DIGIT_RADIX = 2 ** DIGIT_BITS;

/**
 * Sorts finite values in place, ascending, zeros in any order, and moves the tag of each along with it: the method above
 * with larger digits. `spare` is written over; it has room for as many.
 */
export function sortTagged(values: Float64Array, tags: Uint8Array, spare: Tagged): void {
  const count = values.length;
  if (count < FEW) {
    orderedTagged(values, tags, Infinity);
    return;
  }
  const given: Tagged = { values, tags };
  const other = { values: spare.values.subarray(0, count), tags: spare.tags.subarray(0, count) };
  const counts = countDigits(values);
  moveTagged(given, other, 0, counts);
  moveTagged(other, given, 1, counts);
  moveTagged(given, other, 2, counts);
  // By magnitude, as there.
  const others = beforeNegative(other.values);
  values.set(other.values.subarray(others).reverse());
  values.set(other.values.subarray(0, others), count - others);
  tags.set(other.tags.subarray(others).reverse());
  tags.set(other.tags.subarray(0, others), count - others);
  if (!orderedTagged(values, tags, MOVES * count)) sortTagsByLibrary(values, tags);
}

/** How often each value of each digit of the upper halves occurs, digit by digit. */
function countDigits(values: Float64Array): Uint32Array {
  const halves = halvesOf(values);
  const counts = new Uint32Array(DIGITS * DIGIT_RADIX);
  for (let at = 1; at < halves.length; at += 2) {
    const upper = halves[at]!;
    counts[upper & (DIGIT_RADIX - 1)]!++;
    counts[DIGIT_RADIX + ((upper >>> DIGIT_BITS) & (DIGIT_RADIX - 1))]!++;
    counts[2 * DIGIT_RADIX + (upper >>> (2 * DIGIT_BITS))]!++;
  }
  return counts;
}

function sortTagsByLibrary(values: Float64Array, tags: Uint8Array): void {
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!);
  const given = tags.slice();
  order.forEach((at, place) => (tags[place] = given[at]!));
  values.sort();
}

/** Of values by magnitude, which the sign, the highest bit, has put in two parts: how many stand before the negative ones. */
function beforeNegative(values: Float64Array): number {
  let others = 0;
  while (others < values.length && !(values[others]! < 0 || Object.is(values[others], -0))) {
    others++;
  }
  return others;
}

/** Little-endian, as all machines that this runs on: the upper half comes second. */
const halvesOf = ({ buffer, byteOffset, length }: Float64Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, 2 * length);

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
  placesOf(counts);
  const halves = halvesOf(from);
  for (let at = 0; at < from.length; at++) {
    const value = (halves[2 * at + 1]! >>> shift) & 255;
    to[counts[value]!++] = from[at]!;
  }
}

/** One pass by a digit; equal ones stay in their order. */
function moveTagged(from: Tagged, to: Tagged, digit: number, counts: Uint32Array): void {
  const places = counts.subarray(digit * DIGIT_RADIX, (digit + 1) * DIGIT_RADIX);
  placesOf(places);
  const { values, tags } = from;
  const [toValues, toTags] = [to.values, to.tags];
  const halves = halvesOf(values);
  const shift = digit * DIGIT_BITS;
  for (let at = 0; at < values.length; at++) {
    const key = (halves[2 * at + 1]! >>> shift) & (DIGIT_RADIX - 1);
    const place = places[key]!;
    places[key] = place + 1;
    toValues[place] = values[at]!;
    toTags[place] = tags[at]!;
  }
}

/** Of how often each digit occurs, in place: where the first value with it goes. */
function placesOf(counts: Uint32Array): void {
  let before = 0;
  for (let value = 0; value < counts.length; value++) {
    const count = counts[value]!;
    counts[value] = before;
    before += count;
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

/** The same with tags; false after more than `most` moves. */
function orderedTagged(values: Float64Array, tags: Uint8Array, most: number): boolean {
  let moves = 0;
  for (let at = 1; at < values.length; at++) {
    const value = values[at]!;
    const tag = tags[at]!;
    let place = at;
    for (; place > 0 && values[place - 1]! > value; place--) {
      values[place] = values[place - 1]!;
      tags[place] = tags[place - 1]!;
    }
    values[place] = value;
    tags[place] = tag;
    moves += at - place;
    if (moves > most) return false;
  }
  return true;
}
