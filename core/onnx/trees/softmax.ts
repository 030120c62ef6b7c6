/**
 * The exponential in plain additions and multiplications, which IEEE 754 rounds in one way: the same bits on every machine and
 * with every release of Node, which neither `Math.exp` nor a runtime's vector code promises.
 */

/** ln 2 in two parts: the first has 24 bits, so that its products with whole numbers are exact. */
const LN2_HIGH = Math.fround(Math.LN2);
const LN2_LOW = -1.904654299957768e-9;

/** 1/n! for n = 13, 12, ..., 1: beyond it lies less than a thousandth of the last bit. */
const TERMS: readonly number[] = Array.from({ length: 13 }, (_, i) => {
  let factorial = 1;
  for (let n = 2; n <= 13 - i; n++) factorial *= n;
  return 1 / factorial;
});
const [C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2] = TERMS as [number, ...number[]];

/** 2^-n, down to the least double and 0 behind it. */
const HALVES = new Float64Array(1076);
HALVES.forEach((_, n) => (HALVES[n] = n === 0 ? 1 : HALVES[n - 1]! / 2));

/** e^x for x <= 0 and NaN; off by less than one unit in the last place. */
export function exponential(x: number): number {
  const halvings = Math.floor(0.5 - x / Math.LN2);
  // Also of NaN.
  if (!(halvings < HALVES.length)) return x < 0 ? 0 : NaN;
  const r = x + halvings * LN2_HIGH + halvings * LN2_LOW;
  const high = (((((C13 * r + C12!) * r + C11!) * r + C10!) * r + C9!) * r + C8!) * r + C7!;
  const q = (((((high * r + C6!) * r + C5!) * r + C4!) * r + C3!) * r + C2!) * r + 1;
  return (1 + r * q) * HALVES[halvings]!;
}

/** Turns values [from, from + count) into exp(value - largest) / sum of them, in place of the same many from `to` on. */
export function softmaxInto(values: Float64Array, from: number, count: number, to: number): void {
  let largest = -Infinity;
  for (let i = from; i < from + count; i++) largest = Math.max(largest, values[i]!);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const share = exponential(values[from + i]! - largest);
    values[to + i] = share;
    sum += share;
  }
  for (let i = to; i < to + count; i++) values[i] = values[i]! / sum;
}
