/** Element-wise loops that many indicators share; all arrays have the same length. */

/** `a / b`; `neutral` where b is 0 (NaN stays NaN). */
export function ratio(a: Float64Array, b: Float64Array, neutral: number): Float64Array {
  const out = new Float64Array(a.length);
  for (let t = 0; t < out.length; t++) out[t] = b[t] === 0 ? neutral : a[t]! / b[t]!;
  return out;
}

/** `a / b - 1`, for b > 0. */
export function ratioMinusOne(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length);
  for (let t = 0; t < out.length; t++) out[t] = a[t]! / b[t]! - 1;
  return out;
}

/** `(x - low) / (high - low)`: where x lies in a range; `neutral` where the range is empty. */
export function positionIn(
  x: Float64Array,
  low: Float64Array,
  high: Float64Array,
  neutral: number,
): Float64Array {
  const out = new Float64Array(x.length);
  for (let t = 0; t < out.length; t++) {
    const range = high[t]! - low[t]!;
    out[t] = range === 0 ? neutral : (x[t]! - low[t]!) / range;
  }
  return out;
}

export function difference(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length);
  for (let t = 0; t < out.length; t++) out[t] = a[t]! - b[t]!;
  return out;
}

export function product(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length);
  for (let t = 0; t < out.length; t++) out[t] = a[t]! * b[t]!;
  return out;
}

export function squared(a: Float64Array): Float64Array {
  return product(a, a);
}

/** `x[t] - x[t - lag]`; NaN in the first `lag` rows. */
export function change(x: Float64Array, lag: number): Float64Array {
  const out = new Float64Array(x.length).fill(NaN, 0, Math.min(lag, x.length));
  for (let t = lag; t < out.length; t++) out[t] = x[t]! - x[t - lag]!;
  return out;
}

/** `x[t - lag]`; NaN in the first `lag` rows. */
export function lagged(x: Float64Array, lag: number): Float64Array {
  const out = new Float64Array(x.length).fill(NaN, 0, Math.min(lag, x.length));
  if (lag < x.length) out.set(x.subarray(0, x.length - lag), lag);
  return out;
}

export function scaledBy(x: Float64Array, factor: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let t = 0; t < out.length; t++) out[t] = x[t]! * factor;
  return out;
}
