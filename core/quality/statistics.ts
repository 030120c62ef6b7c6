import type { Bars } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';

/** ln(close[i] / close[i-1]); NaN at 0. */
export function closeReturns(bars: Bars): Float64Array {
  const out = new Float64Array(barCount(bars)).fill(Number.NaN);
  for (let i = 1; i < out.length; i++) out[i] = Math.log(bars.close[i]! / bars.close[i - 1]!);
  return out;
}

/** Middle of the numbers (mean of the two middle ones for an even count); NaN for none. */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/** Quantile with linear interpolation (numpy's default); NaN for none. NaNs must not be among them. */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return Number.NaN;
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

/** Pearson correlation; NaN where a side is constant or there are fewer than 2 pairs. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  let meanA = 0;
  let meanB = 0;
  for (let i = 0; i < n; i++) {
    meanA += a[i]! / n;
    meanB += b[i]! / n;
  }
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < n; i++) {
    const x = a[i]! - meanA;
    const y = b[i]! - meanB;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return n < 2 || aa === 0 || bb === 0 ? Number.NaN : ab / Math.sqrt(aa * bb);
}

/**
 * Median of the `window` numbers before each position (fewer at the start); NaN where fewer than
 * `minCount` numbers are there. NaNs are passed over. A sorted window is kept by binary insertion.
 */
export function medianBefore(values: Float64Array, window: number, minCount: number): Float64Array {
  const out = new Float64Array(values.length).fill(Number.NaN);
  const sorted = new Float64Array(window + 1);
  let size = 0;
  const position = (x: number): number => {
    let low = 0;
    let high = size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < x) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  for (let i = 0; i < values.length; i++) {
    if (size >= minCount && size > 0) {
      const middle = size >> 1;
      out[i] = size % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
    }
    const old = i - window >= 0 ? values[i - window]! : Number.NaN;
    if (!Number.isNaN(old)) {
      const at = position(old);
      sorted.copyWithin(at, at + 1, size);
      size--;
    }
    const next = values[i]!;
    if (!Number.isNaN(next)) {
      const at = position(next);
      sorted.copyWithin(at + 1, at, size);
      sorted[at] = next;
      size++;
    }
  }
  return out;
}
