import {
  bits,
  bitsPlus,
  bitsRight,
  bothOf,
  butNot,
  eitherOf,
  isAtLeast,
  isEqual,
  isLess,
  kernel,
  minus,
  number,
  one,
  oneOf,
  over,
  plus,
  size,
  type Term,
  times,
  where,
  zero,
} from './kernel.ts';

/**
 * Logarithms as terms of formulas: two rows at a time, no branches, the same bits as `Math.log` and
 * `Math.log1p` of V8, which are those of fdlibm.
 *
 * Method: x = 2^k m with m in sqrt(1/2)..sqrt(2), f = m - 1, s = f / (2 + f);
 * ln m = f - f^2 / 2 + s (f^2 / 2 + R(s^2)), R a polynomial that is best in its interval; k ln 2 in
 * two parts. Each case of fdlibm is computed as there, and the one that applies is chosen.
 * Reference: Sun Microsystems' fdlibm 5.3, e_log.c and s_log1p.c (1993).
 */

const FRACTION = bits(0x000f_ffff_ffff_ffffn);
const EXPONENT_OF_ONE = bits(0x3ff0_0000_0000_0000n);
const EXPONENT_OF_2_52 = bits(0x4330_0000_0000_0000n);
const LOWEST_EXPONENT_BIT = bits(0x0010_0000_0000_0000n);
const EXPONENT_BIAS = 1023;

const LN2_HIGH = number(6.9314718036912381649e-1);
const LN2_LOW = number(1.90821492927058770002e-10);
const [L1, L2, L3, L4, L5, L6, L7] = [
  6.66666666666673513e-1, 3.999999999940941908e-1, 2.857142874366239149e-1, 2.222219843214978396e-1,
  1.818357216161805012e-1, 1.531383769920937332e-1, 1.479819860511658591e-1,
].map(number) as [Term, Term, Term, Term, Term, Term, Term];

/** a + b x */
const linear = (a: Term, b: Term, x: Term): Term => plus(a, times(x, b));

/** x as 2^k m; `carry`: what added to the fraction of x makes its exponent one more where m >= sqrt(2). */
function split(x: Term, carry: bigint): { readonly exponent: Term; readonly f: Term } {
  const fraction = bothOf(x, FRACTION);
  const halved = bothOf(bitsPlus(fraction, bits(carry << 32n)), LOWEST_EXPONENT_BIT);
  const m = eitherOf(fraction, oneOf(halved, EXPONENT_OF_ONE));
  const exponent = bitsRight(bitsPlus(x, halved), 52);
  // As a number: the low bits of 2^52.
  return { exponent: eitherOf(exponent, EXPONENT_OF_2_52), f: minus(m, one) };
}

const inRange = (x: Term, low: number, high: number): Term =>
  bothOf(isAtLeast(x, number(low)), isLess(x, number(high)));

/** `finite` for 0 < x < Infinity; what is right for all else. */
const wherePositive = (x: Term, finite: Term): Term =>
  where(
    isLess(zero, x),
    where(isLess(x, number(Infinity)), finite, x),
    where(isEqual(x, zero), number(-Infinity), number(NaN)),
  );

const SMALLEST_NORMAL = 2 ** -1022;
/** What denormalised numbers are times to be normal ones. */
const LIFT = 54;

/** ln x, as `Math.log(x)`. */
export function naturalLog(x: Term): Term {
  const tiny = isLess(x, number(SMALLEST_NORMAL));
  const normal = where(tiny, times(x, number(2 ** LIFT)), x);
  const { exponent, f } = split(normal, 0x95f64n);
  const bias = 2 ** 52 + EXPONENT_BIAS;
  const k = minus(exponent, where(tiny, number(bias + LIFT), number(bias)));
  const low = times(k, LN2_LOW);
  const s = over(f, plus(number(2), f));
  const z = times(s, s);
  const w = times(z, z);
  const even = times(w, linear(L2, linear(L4, L6, w), w));
  const odd = times(z, linear(L1, linear(L3, linear(L5, L7, w), w), w));
  const r = plus(odd, even);
  const square = times(times(number(0.5), f), f);
  const middle = minus(square, plus(times(s, plus(square, r)), low));
  const outer = minus(times(s, minus(f, r)), low);
  const near = minus(times(times(f, f), minus(number(0.5), times(number(1 / 3), f))), low);
  const isOuter = inRange(f, (1 + 0x6b852 / 2 ** 20) / 2 - 1, 0x6147a / 2 ** 20);
  const isNear = inRange(f, -(2 ** -20), 2 ** -20);
  const away = where(isNear, near, where(isOuter, outer, middle));
  return wherePositive(x, minus(times(k, LN2_HIGH), minus(away, f)));
}

/** The number whose upper 32 bits are these. */
const upper = (word: number): number => new Float64Array(Uint32Array.of(0, word).buffer)[0]!;

/** Where 1 + x lies about in sqrt(1/2)..sqrt(2): there x is the f of above, and k is 0. */
const [NEAR_LOW, NEAR_HIGH] = [-upper(0x3fd2bec5), upper(0x3fda827a)] as const;

/** ln(1 + x), as `Math.log1p(x)`. */
export function logOnePlus(x: Term): Term {
  const large = isAtLeast(x, number(2 ** 53));
  const isNear = bothOf(isLess(number(NEAR_LOW), x), isLess(x, number(NEAR_HIGH)));
  const u = where(large, x, plus(one, x));
  const { exponent, f: away } = split(u, 0x95f62n);
  const f = where(isNear, x, away);
  const k = butNot(minus(exponent, number(2 ** 52 + EXPONENT_BIAS)), isNear);
  // What 1 + x lost by rounding.
  const lost = where(isAtLeast(u, number(2)), minus(one, minus(u, x)), minus(x, minus(u, one)));
  const correction = butNot(over(lost, u), eitherOf(isNear, large));
  const low = plus(times(k, LN2_LOW), correction);
  const square = times(times(number(0.5), f), f);
  const s = over(f, plus(number(2), f));
  const z = times(s, s);
  const tail = linear(L4, linear(L5, linear(L6, L7, z), z), z);
  const r = times(z, linear(L1, linear(L2, linear(L3, tail, z), z), z));
  const middle = minus(square, plus(times(s, plus(square, r)), low));
  const near = minus(times(square, minus(one, times(number(2 / 3), f))), low);
  const isSmall = butNot(inRange(away, -1.5 * 2 ** -20, 2 ** -20), isNear);
  const small = where(isSmall, near, middle);
  const whole = minus(times(k, LN2_HIGH), minus(small, f));
  const tiny = minus(x, times(times(x, x), number(0.5)));
  const finite = where(isLess(size(x), number(2 ** -29)), tiny, whole);
  return where(isEqual(x, number(-1)), number(-Infinity), whereAbove(x, finite));
}

/** `finite` for -1 < x < Infinity. */
const whereAbove = (x: Term, finite: Term): Term =>
  where(isLess(number(-1), x), where(isLess(x, number(Infinity)), finite, x), number(NaN));

/** ln(a / b). */
export const logRatioKernel = kernel(2, 0, ([a, b]) => naturalLog(over(a!, b!)));
