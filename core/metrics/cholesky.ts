/**
 * Cholesky factor L of a symmetric positive definite A = L L', in place over the lower triangle of a row-major [n x n]
 * matrix; undefined where A is not positive definite (or not finite). Rows times rows, which lie together in memory.
 */
export function choleskyFactor(a: Float64Array, n: number): Float64Array | undefined {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      if (i > j) {
        a[i * n + j] = sum / a[j * n + j]!;
        continue;
      }
      if (!(sum > 0)) return undefined;
      a[i * n + i] = Math.sqrt(sum);
    }
  }
  return a;
}

/** x with L L' x = b, in place. */
export function solveCholesky(l: Float64Array, n: number, b: Float64Array): Float64Array {
  for (let i = 0; i < n; i++) {
    let sum = b[i]!;
    for (let k = 0; k < i; k++) sum -= l[i * n + k]! * b[k]!;
    b[i] = sum / l[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i]!;
    for (let k = i + 1; k < n; k++) sum -= l[k * n + i]! * b[k]!;
    b[i] = sum / l[i * n + i]!;
  }
  return b;
}
