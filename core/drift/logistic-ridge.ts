import { RatchetError } from '../errors.ts';
import { choleskyFactor, solveCholesky } from '../metrics/cholesky.ts';

/** When to stop: as soon as no coefficient moves by more than `tolerance`, and after `maxSteps` in any case. */
export interface Stop {
  readonly tolerance: number;
  readonly maxSteps: number;
}

const CONVERGED: Stop = { tolerance: 1e-9, maxSteps: 2000 };

/** Rows of standardised features with their class; row-major. */
export interface ClassRows {
  readonly columns: number;
  readonly x: Float64Array;
  /** 1 or 0 a row. */
  readonly y: Uint8Array;
}

/** Rows `from` to `to - 1`. */
export type Stretch = readonly [from: number, to: number];

export interface LogisticModel {
  readonly intercept: number;
  readonly coefficients: Float64Array;
}

export interface FitOptions {
  /** Rows that are fitted to; all by default. */
  readonly stretches?: readonly Stretch[];
  /** That of `gramOf` of those rows, if the caller has it. */
  readonly gram?: Float64Array;
  readonly stop?: Stop;
}

/**
 * Logistic regression with a ridge penalty (le Cessie and van Houwelingen 1992).
 * Minimises sum_i log(1 + exp(-s_i (a + x_i b))) + penalty / 2 |b|^2 with s = +-1; the intercept is not penalised.
 * By the quadratic bound of Boehning and Lindsay (1988): the Hessian is at most X'X / 4 + penalty I, so one Cholesky
 * factor serves every step and the loss falls in each of them. No randomness, no step size: the same rows give the
 * same bits. The first step is Newton's own.
 */
export function fitLogisticRidge(
  rows: ClassRows,
  penalty: number,
  { stretches = [[0, rows.y.length]], gram, stop = CONVERGED }: FitOptions = {},
): LogisticModel {
  const { columns } = rows;
  const size = columns + 1;
  const bound = gram?.slice() ?? gramOf(rows, stretches);
  for (let at = 0; at < bound.length; at++) bound[at] = bound[at]! / 4;
  for (let i = 0; i < columns; i++) bound[i * size + i]! += penalty;
  const factor = choleskyFactor(bound, size);
  if (!factor) {
    throw new RatchetError('drift.singular', 'the rows of the domain classifier are not finite');
  }
  const b = new Float64Array(size);
  const step = new Float64Array(size);
  for (let iteration = 0; iteration < stop.maxSteps; iteration++) {
    step.fill(0);
    for (const stretch of stretches) addGradient(rows, stretch, b, step);
    for (let c = 0; c < columns; c++) step[c]! -= penalty * b[c]!;
    solveCholesky(factor, size, step);
    let largest = 0;
    for (let c = 0; c < size; c++) {
      b[c]! += step[c]!;
      largest = Math.max(largest, Math.abs(step[c]!));
    }
    if (largest < stop.tolerance) break;
  }
  return { intercept: b[columns]!, coefficients: b.subarray(0, columns) };
}

/** Rows taken at a time: a sum waits for each of its additions, and those of several rows need not wait for one another. */
const AT_ONCE = 4;

/** Adds sum_i (y_i - p_i) (x_i, 1) to `step`. Every sum keeps its order, whatever is taken at once. */
function addGradient(
  { columns, x, y }: ClassRows,
  [first, end]: Stretch,
  b: Float64Array,
  step: Float64Array,
): void {
  const last = end - 1;
  const intercept = b[columns]!;
  for (let row = first; row <= last; row += AT_ONCE) {
    // What would stand behind the last row stands where it does, with a residual of 0.
    const from = row * columns;
    const second = Math.min(row + 1, last) * columns;
    const third = Math.min(row + 2, last) * columns;
    const fourth = Math.min(row + 3, last) * columns;
    let one = intercept;
    let two = intercept;
    let three = intercept;
    let four = intercept;
    for (let c = 0; c < columns; c++) {
      const weight = b[c]!;
      one += x[from + c]! * weight;
      two += x[second + c]! * weight;
      three += x[third + c]! * weight;
      four += x[fourth + c]! * weight;
    }
    one = y[row]! - 1 / (1 + Math.exp(-one));
    two = row + 1 > last ? 0 : y[row + 1]! - 1 / (1 + Math.exp(-two));
    three = row + 2 > last ? 0 : y[row + 2]! - 1 / (1 + Math.exp(-three));
    four = row + 3 > last ? 0 : y[row + 3]! - 1 / (1 + Math.exp(-four));
    for (let c = 0; c < columns; c++) {
      const half = step[c]! + one * x[from + c]! + two * x[second + c]!;
      step[c] = half + three * x[third + c]! + four * x[fourth + c]!;
    }
    step[columns] = step[columns]! + one + two + three + four;
  }
}

/** Lower triangle of X'X with a column of ones appended, row-major [(columns + 1)^2]. */
export function gramOf({ columns, x }: ClassRows, stretches: readonly Stretch[]): Float64Array {
  const gram = new Float64Array((columns + 1) ** 2);
  for (const stretch of stretches) addGram(x, columns, stretch, gram);
  return gram;
}

function addGram(
  x: Float64Array,
  columns: number,
  [first, end]: Stretch,
  gram: Float64Array,
): void {
  const size = columns + 1;
  const last = end - 1;
  for (let row = first; row <= last; row += AT_ONCE) {
    // What would stand behind the last row stands where it does, times 0.
    const from = row * columns;
    const second = Math.min(row + 1, last) * columns;
    const third = Math.min(row + 2, last) * columns;
    const fourth = Math.min(row + 3, last) * columns;
    for (let i = 0; i < columns; i++) {
      const one = x[from + i]!;
      const two = row + 1 > last ? 0 : x[second + i]!;
      const three = row + 2 > last ? 0 : x[third + i]!;
      const four = row + 3 > last ? 0 : x[fourth + i]!;
      const at = i * size;
      for (let j = 0; j <= i; j++) {
        const half = gram[at + j]! + one * x[from + j]! + two * x[second + j]!;
        gram[at + j] = half + three * x[third + j]! + four * x[fourth + j]!;
      }
      gram[columns * size + i] = gram[columns * size + i]! + one + two + three + four;
    }
  }
  gram[columns * size + columns]! += end - first;
}
