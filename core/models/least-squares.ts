/**
 * Least squares of least norm by a complete orthogonal decomposition (Golub and Van Loan, 5.5.3): Householder QR with
 * column pivoting (Businger and Golub, 1965) finds the rank, a second QR from the right takes, of all solutions, the one
 * whose coefficients have the least sum of squares. X'X, which would square the condition, is never formed.
 * Edge cases: a column that is 0 gets 0; equal columns share their coefficient; more columns than rows is fine.
 */

/** Columns of one matrix, each a run of `rows` numbers. */
type Columns = readonly Float64Array[];

const EPSILON = 2 ** -52;

const squares = (v: Float64Array, from: number): number => {
  let sum = 0;
  for (let i = from; i < v.length; i++) sum += v[i]! * v[i]!;
  return sum;
};

/** Turns v[from..] into the reflector that maps it onto its first axis (first element stored apart); gives the image. */
function reflector(
  v: Float64Array,
  from: number,
): { readonly image: number; readonly beta: number } {
  const norm = Math.sqrt(squares(v, from));
  if (norm === 0) return { image: 0, beta: 0 };
  const image = v[from]! > 0 ? -norm : norm;
  v[from]! -= image;
  return { image, beta: 2 / squares(v, from) };
}

/** w -= beta (v'w) v over [from, end). */
function reflect(w: Float64Array, v: Float64Array, from: number, beta: number): void {
  let product = 0;
  for (let i = from; i < v.length; i++) product += v[i]! * w[i]!;
  product *= beta;
  for (let i = from; i < v.length; i++) w[i]! -= product * v[i]!;
}

interface Triangle {
  readonly rank: number;
  /** Column of the matrix that stands at each place. */
  readonly order: readonly number[];
  /** Upper trapezoid, [rank x columns] row-major, in that order. */
  readonly r: Float64Array;
}

/** Q'A P = R, in place; `targets` become Q' targets. Stops where no column is left that rounding alone would not make. */
function pivotedQr(a: Columns, targets: Columns): Triangle {
  const [rows, columns] = [a[0]!.length, a.length];
  const order = Array.from(a.keys());
  const work = [...a];
  const r = new Float64Array(Math.min(rows, columns) * columns);
  let tolerance = 0;
  let rank = 0;
  for (; rank < Math.min(rows, columns); rank++) {
    // Norms are computed anew: updating them loses the digits that the rank is read from.
    let [best, most] = [rank, -1];
    for (let j = rank; j < columns; j++) {
      const norm = squares(work[j]!, rank);
      if (norm > most) [best, most] = [j, norm];
    }
    if (rank === 0) tolerance = Math.max(rows, columns) * EPSILON * Math.sqrt(most);
    if (Math.sqrt(most) <= tolerance) break;
    [work[rank], work[best]] = [work[best]!, work[rank]!];
    [order[rank], order[best]] = [order[best]!, order[rank]!];
    for (let i = 0; i < rank; i++) {
      const [one, other] = [i * columns + rank, i * columns + best];
      [r[one], r[other]] = [r[other]!, r[one]!];
    }
    const v = work[rank]!;
    const { image, beta } = reflector(v, rank);
    r[rank * columns + rank] = image;
    for (let j = rank + 1; j < columns; j++) {
      reflect(work[j]!, v, rank, beta);
      r[rank * columns + j] = work[j]![rank]!;
    }
    for (const target of targets) reflect(target, v, rank, beta);
  }
  return { rank, order, r: r.subarray(0, rank * columns) };
}

/** Of all solutions of R z = c (R of full row rank) the one of least norm. */
function leastNorm({ rank, r }: Triangle, columns: number, c: Columns): Float64Array[] {
  // R' = Z T: then z = Z T'^-1 c.
  const reflectors = Array.from({ length: rank }, (_, i) =>
    Float64Array.from({ length: columns }, (_, j) => (j < i ? 0 : r[i * columns + j]!)),
  );
  const betas: number[] = [];
  const t = new Float64Array(rank * rank);
  for (let k = 0; k < rank; k++) {
    const { image, beta } = reflector(reflectors[k]!, k);
    betas.push(beta);
    t[k * rank + k] = image;
    for (let j = k + 1; j < rank; j++) {
      reflect(reflectors[j]!, reflectors[k]!, k, beta);
      t[k * rank + j] = reflectors[j]![k]!;
    }
  }
  return c.map((target) => {
    const z = new Float64Array(columns);
    for (let i = 0; i < rank; i++) {
      let sum = target[i]!;
      for (let k = 0; k < i; k++) sum -= t[k * rank + i]! * z[k]!;
      z[i] = sum / t[i * rank + i]!;
    }
    for (let k = rank - 1; k >= 0; k--) reflect(z, reflectors[k]!, k, betas[k]!);
    return z;
  });
}

/**
 * b of least norm among those that minimise |y - X b|, for each column of y.
 * `x` row-major [rows x f], `y` row-major [rows x h] -> row-major [f x h].
 */
export function leastSquares(
  x: Float64Array,
  y: Float64Array,
  f: number,
  h: number,
): { readonly coefficients: Float64Array; readonly rank: number } {
  const columnsOf = (matrix: Float64Array, width: number): Float64Array[] =>
    Array.from({ length: width }, (_, j) =>
      Float64Array.from({ length: matrix.length / width }, (_, i) => matrix[i * width + j]!),
    );
  const targets = columnsOf(y, h);
  const triangle = pivotedQr(columnsOf(x, f), targets);
  const coefficients = new Float64Array(f * h);
  leastNorm(triangle, f, targets).forEach((z, k) => {
    triangle.order.forEach((column, place) => (coefficients[column * h + k] = z[place]!));
  });
  return { coefficients, rank: triangle.rank };
}
