import {
  half,
  isEqual,
  kernel,
  minus,
  one,
  over,
  plus,
  root,
  size,
  type Term,
  times,
  where,
  zero,
} from './kernel.ts';
import { type BarPositions, columnBy } from './positions.ts';

/** Element-wise columns that many indicators share. */

/** `a / b`; `neutral` where b is 0 (NaN stays NaN). */
export const ratioOf = (a: Term, b: Term, neutral: Term): Term =>
  where(isEqual(b, zero), neutral, over(a, b));

const ratioKernel = kernel(2, 1, ([a, b], [neutral]) => ratioOf(a!, b!, neutral!));

/** `a / b`; `neutral` where b is 0 (NaN stays NaN). */
export const ratio = (
  a: Float64Array,
  b: Float64Array,
  neutral: number,
  positions: BarPositions,
): Float64Array => columnBy(positions, ratioKernel, [a, b], [neutral]);

const ratioMinusOneKernel = kernel(2, 0, ([a, b]) => minus(over(a!, b!), one));

/** `a / b[-lag] - 1`, for b > 0. */
export const ratioMinusOne = (
  a: Float64Array,
  b: Float64Array,
  positions: BarPositions,
  lag = 0,
): Float64Array => columnBy(positions, ratioMinusOneKernel, [a, [b, lag]], [], lag);

const positionKernel = kernel(3, 1, ([x, low, high], [neutral]) =>
  ratioOf(minus(x!, low!), minus(high!, low!), neutral!),
);

/** `(x - low) / (high - low)`: where x lies in a range; `neutral` where the range is empty. */
export const positionIn = (
  x: Float64Array,
  low: Float64Array,
  high: Float64Array,
  neutral: number,
  positions: BarPositions,
): Float64Array => columnBy(positions, positionKernel, [x, low, high], [neutral]);

/** a - b. */
export const differenceKernel = kernel(2, 0, ([a, b]) => minus(a!, b!));

export const difference = (
  a: Float64Array,
  b: Float64Array,
  positions: BarPositions,
): Float64Array => columnBy(positions, differenceKernel, [a, b]);

const productKernel = kernel(2, 0, ([a, b]) => times(a!, b!));

export const product = (a: Float64Array, b: Float64Array, positions: BarPositions): Float64Array =>
  columnBy(positions, productKernel, [a, b]);

/** `x[t] - x[t - lag]`; NaN in the first `lag` rows. */
export const change = (x: Float64Array, lag: number, positions: BarPositions): Float64Array =>
  columnBy(positions, differenceKernel, [x, [x, lag]], [], lag);

const sameKernel = kernel(1, 0, ([x]) => x!);

/** `x[t - lag]`; NaN in the first `lag` rows. */
export const lagged = (x: Float64Array, lag: number, positions: BarPositions): Float64Array =>
  columnBy(positions, sameKernel, [[x, lag]], [], lag);

const scaledKernel = kernel(1, 2, ([x], [factor, shift]) => plus(times(x!, factor!), shift!));

/** `x factor + shift`. */
export const scaled = (
  x: Float64Array,
  factor: number,
  shift: number,
  positions: BarPositions,
): Float64Array => columnBy(positions, scaledKernel, [x], [factor, shift]);

const rootKernel = kernel(1, 1, ([x], [factor]) => root(times(x!, factor!)));

/** `sqrt(x factor)`. */
export const rootOf = (x: Float64Array, factor: number, positions: BarPositions): Float64Array =>
  columnBy(positions, rootKernel, [x], [factor]);

const sizesKernel = kernel(1, 0, ([x]) => size(x!));

/** `|x|`. */
export const sizesOf = (x: Float64Array, positions: BarPositions): Float64Array =>
  positions.share(x, 'sizes', () => columnBy(positions, sizesKernel, [x]));

/** x where it is above 0, else 0. */
export const gainOf = (x: Term): Term => times(plus(size(x), x), half);
/** -x where x is below 0, else 0. */
export const lossOf = (x: Term): Term => times(minus(size(x), x), half);
/** 1, 0 or -1. */
export const signOf = (x: Term): Term => where(isEqual(x, zero), zero, over(x, size(x)));

const gainsKernel = kernel(1, 0, ([x]) => gainOf(x!));
const lossesKernel = kernel(1, 0, ([x]) => lossOf(x!));
const signsKernel = kernel(1, 0, ([x]) => signOf(x!));

/** x where it is above 0, else 0. */
export const gainsOf = (x: Float64Array, positions: BarPositions): Float64Array =>
  positions.share(x, 'gains', () => columnBy(positions, gainsKernel, [x]));

/** -x where x is below 0, else 0. */
export const lossesOf = (x: Float64Array, positions: BarPositions): Float64Array =>
  positions.share(x, 'losses', () => columnBy(positions, lossesKernel, [x]));

/** 1, 0 or -1. */
export const signsOf = (x: Float64Array, positions: BarPositions): Float64Array =>
  positions.share(x, 'signs', () => columnBy(positions, signsKernel, [x]));
