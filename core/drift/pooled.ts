/** Two samples in one order: what compares their empirical distribution functions value by value. */
export interface Pooled {
  /** The values of both, ascending. */
  readonly values: Float64Array;
  /**
   * By value |F - G| of what stands before it, F and G being the shares of either sample. Of equal values only the first
   * one's says what lies below them.
   */
  readonly apart: Float64Array;
}

/** i / rows for i from 0 to `rows`: the values of a distribution function, divided once. */
export function sharesOf(rows: number): Float64Array {
  const shares = new Float64Array(rows + 1);
  for (let i = 0; i <= rows; i++) shares[i] = i / rows;
  return shares;
}

/** Of two samples, each ascending and finite. O(reference + window). */
export function pooledOf(reference: Float64Array, window: Float64Array): Pooled {
  const [n, m] = [reference.length, window.length];
  const [f, g] = [sharesOf(n), sharesOf(m)];
  const values = new Float64Array(n + m);
  const apart = new Float64Array(n + m);
  let i = 0;
  for (let k = 0; k < values.length; k++) {
    const j = k - i;
    const old = j === m || (i < n && reference[i]! <= window[j]!);
    values[k] = old ? reference[i]! : window[j]!;
    apart[k] = Math.abs(f[i]! - g[j]!);
    if (old) i++;
  }
  return { values, apart };
}
