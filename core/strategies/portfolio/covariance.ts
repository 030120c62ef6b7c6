/** Of the mean variance, added to every variance: equal columns stay solvable, and share their weight. */
const RIDGE = 1e-10;

export interface ShrunkCovariance {
  /** Symmetric positive definite, row-major [n x n]; variances per bar, ddof 0. */
  readonly matrix: Float64Array;
  /** 0..1: how much of it is the common variance on the diagonal. */
  readonly shrinkage: number;
}

/**
 * Covariance of columns of returns, shrunk towards equal variances without correlation.
 * Formula (Ledoit and Wolf, 2004): S the covariance, m its mean variance, d2 = |S - m I|^2 / n and
 * b2 = min(d2, sum_t |x_t x_t' - S|^2 / (T^2 n)) in the squared Frobenius norm; (1 - b2 / d2) S + b2 / d2 m I.
 * Edge: one column, or S = m I already: not shrunk. The columns have one length, and are finite.
 */
export function shrunkCovariance(columns: readonly Float64Array[]): ShrunkCovariance {
  const n = columns.length;
  const rows = columns[0]?.length ?? 0;
  const centred = columns.map((x) => {
    const mean = meanOf(x);
    return x.map((value) => value - mean);
  });
  const matrix = new Float64Array(n * n);
  // sum_t |x_t x_t' - S|^2 = sum_ij (sum_t x_ti^2 x_tj^2 - T S_ij^2).
  let spread = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const [x, y] = [centred[i]!, centred[j]!];
      let [sum, squares] = [0, 0];
      for (let t = 0; t < rows; t++) {
        const product = x[t]! * y[t]!;
        sum += product;
        squares += product * product;
      }
      const s = sum / rows;
      matrix[i * n + j] = matrix[j * n + i] = s;
      spread += (i === j ? 1 : 2) * (squares - rows * s * s);
    }
  }
  let common = 0;
  for (let i = 0; i < n; i++) common += matrix[i * n + i]! / n;
  let distance = 0;
  for (let k = 0; k < n * n; k++) distance += (matrix[k]! - (isDiagonal(k, n) ? common : 0)) ** 2;
  const shrinkage = distance > 0 ? Math.min(1, Math.max(0, spread) / (rows * rows) / distance) : 0;
  for (let k = 0; k < n * n; k++) {
    const target = isDiagonal(k, n) ? shrinkage * common + RIDGE * common : 0;
    matrix[k] = (1 - shrinkage) * matrix[k]! + target;
  }
  return { matrix, shrinkage };
}

const isDiagonal = (k: number, n: number): boolean => k % (n + 1) === 0;

export function meanOf(x: Float64Array): number {
  let sum = 0;
  for (const value of x) sum += value;
  return sum / x.length;
}
