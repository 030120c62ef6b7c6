import type { BarPositions } from './positions.ts';

/**
 * Sliding-window statistics in one pass, exact in the sense that matters here: each value is a
 * function of its window's values and their calendar positions, bit for bit, wherever history starts.
 *
 * Method (van Herk 1992, Gil and Werman 1993): the calendar is cut into blocks as long as the window;
 * a window is the tail of one block and the head of the next, so its sum is a suffix sum plus a prefix
 * sum. Nothing is ever subtracted, hence no drift and exact zeros. Windows that do not touch exactly
 * two blocks (a hole in the bars, or a whole block) are added up directly. NaN stays in its windows.
 */
export function windowSum(x: Float64Array, window: number, positions: BarPositions): Float64Array {
  const rows = x.length;
  const block = positions.blocks(window);
  const out = new Float64Array(rows);
  const [suffix] = positions.scratch;
  let sum = 0;
  for (let i = rows - 1; i >= 0; i--) {
    sum = i + 1 < rows && block[i + 1] === block[i] ? sum + x[i]! : x[i]!;
    suffix[i] = sum;
  }
  out.fill(NaN, 0, Math.min(window - 1, rows));
  let prefix = 0;
  for (let t = 0; t < rows; t++) {
    prefix = t > 0 && block[t] === block[t - 1] ? prefix + x[t]! : x[t]!;
    const first = t - window + 1;
    if (first < 0) continue;
    if (block[t]! - block[first]! === 1) out[t] = suffix[first]! + prefix;
    else out[t] = sumOf(x, first, t);
  }
  return out;
}

function sumOf(x: Float64Array, first: number, last: number): number {
  let sum = x[first]!;
  for (let i = first + 1; i <= last; i++) sum += x[i]!;
  return sum;
}

/** Mean of the last `window` values. */
export function windowMean(x: Float64Array, window: number, positions: BarPositions): Float64Array {
  const out = windowSum(x, window, positions);
  for (let t = 0; t < out.length; t++) out[t] = out[t]! / window;
  return out;
}

/** Largest of the last `window` values; NaN where one of them is. */
export function windowMax(x: Float64Array, window: number, positions: BarPositions): Float64Array {
  const rows = x.length;
  const block = positions.blocks(window);
  const out = new Float64Array(rows);
  const [suffix] = positions.scratch;
  let best = 0;
  for (let i = rows - 1; i >= 0; i--) {
    best = i + 1 < rows && block[i + 1] === block[i] ? Math.max(best, x[i]!) : x[i]!;
    suffix[i] = best;
  }
  out.fill(NaN, 0, Math.min(window - 1, rows));
  let prefix = 0;
  for (let t = 0; t < rows; t++) {
    prefix = t > 0 && block[t] === block[t - 1] ? Math.max(prefix, x[t]!) : x[t]!;
    const first = t - window + 1;
    if (first < 0) continue;
    if (block[t]! - block[first]! === 1) out[t] = Math.max(suffix[first]!, prefix);
    else out[t] = maxOf(x, first, t);
  }
  return out;
}

function maxOf(x: Float64Array, first: number, last: number): number {
  let best = x[first]!;
  for (let i = first + 1; i <= last; i++) best = Math.max(best, x[i]!);
  return best;
}

/** Smallest of the last `window` values; NaN where one of them is. */
export const windowMin = (x: Float64Array, window: number, positions: BarPositions): Float64Array =>
  negated(windowMax(negated(x), window, positions));

const negated = (x: Float64Array): Float64Array => x.map((value) => -value);

/**
 * Sum of squared deviations from the window's own mean; 0 exactly for a constant window.
 *
 * Each block sums deviations from its value at the block border, which lies inside the window, so
 * `S2 - S1^2 / n` loses at most a factor n to cancellation (the reference is within sqrt(n) SD).
 */
export function windowSquares(
  x: Float64Array,
  window: number,
  positions: BarPositions,
): Float64Array {
  const rows = x.length;
  const block = positions.blocks(window);
  const out = new Float64Array(rows);
  const [tail1, tail2] = positions.scratch;
  let s1 = 0;
  let s2 = 0;
  let reference = 0;
  for (let i = rows - 1; i >= 0; i--) {
    if (i + 1 === rows || block[i + 1] !== block[i]) {
      reference = x[i]!;
      s1 = 0;
      s2 = 0;
    }
    const d = x[i]! - reference;
    tail1[i] = s1 += d;
    tail2[i] = s2 += d * d;
  }
  out.fill(NaN, 0, Math.min(window - 1, rows));
  let start = 0;
  for (let t = 0; t < rows; t++) {
    if (t === 0 || block[t] !== block[t - 1]) {
      start = t;
      reference = x[t]!;
      s1 = 0;
      s2 = 0;
    }
    const d = x[t]! - reference;
    s1 += d;
    s2 += d * d;
    const first = t - window + 1;
    if (first < 0) continue;
    if (block[t]! - block[first]! === 1) {
      const shift = x[start - 1]! - reference;
      const n = start - first;
      const sum = s1 + tail1[first]! + n * shift;
      const squares = s2 + tail2[first]! + shift * (2 * tail1[first]! + n * shift);
      out[t] = nonNegative(squares - (sum * sum) / window);
    } else out[t] = squaresOf(x, first, t);
  }
  return out;
}

/** Rounding may leave a square sum just below 0; NaN stays NaN. */
const nonNegative = (value: number): number => (value < 0 ? 0 : value);

function squaresOf(x: Float64Array, first: number, last: number): number {
  const reference = x[last]!;
  let sum = 0;
  let squares = 0;
  for (let i = first; i <= last; i++) {
    const d = x[i]! - reference;
    sum += d;
    squares += d * d;
  }
  return nonNegative(squares - (sum * sum) / (last - first + 1));
}

/** Standard deviation of the last `window` values; `ddof` 0 for a population, 1 for a sample. */
export function windowSd(
  x: Float64Array,
  window: number,
  positions: BarPositions,
  ddof: 0 | 1,
): Float64Array {
  const out = windowSquares(x, window, positions);
  for (let t = 0; t < out.length; t++) out[t] = Math.sqrt(out[t]! / (window - ddof));
  return out;
}

/** Bars since the largest of the last `window` values (0: this bar); the latest wins ties. */
export function barsSinceMax(x: Float64Array, window: number): Float64Array {
  const out = new Float64Array(x.length).fill(NaN);
  let best = -Infinity;
  let at = -1;
  let lastNaN = -1;
  for (let t = 0; t < x.length; t++) {
    const value = x[t]!;
    const first = t - window + 1;
    if (value >= best) {
      best = value;
      at = t;
    } else if (value !== value) lastNaN = t;
    if (at < first) {
      // The largest has left the window: look for the next one, the newest first.
      best = -Infinity;
      for (let i = t; i >= first; i--) {
        if (x[i]! > best) {
          best = x[i]!;
          at = i;
        }
      }
    }
    if (first >= 0 && lastNaN < first) out[t] = t - at;
  }
  return out;
}

/** Bars since the smallest of the last `window` values (0: this bar); the latest wins ties. */
export const barsSinceMin = (x: Float64Array, window: number): Float64Array =>
  barsSinceMax(negated(x), window);
