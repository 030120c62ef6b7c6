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

export interface LogisticModel {
  readonly intercept: number;
  readonly coefficients: Float64Array;
}

/**
 * Logistic regression with a ridge penalty (le Cessie and van Houwelingen 1992).
 * Minimises sum_i log(1 + exp(-s_i (a + x_i b))) + penalty / 2 |b|^2 with s = +-1; the intercept is not penalised.
 * By the quadratic bound of Boehning and Lindsay (1988): the Hessian is at most X'X / 4 + penalty I, so one Cholesky
 * factor serves every step and the loss falls in each of them. No randomness, no step size: the same rows give the
 * same bits. The first step is Newton's own. `gram` is that of `gramOf`, if the caller has it.
 */
export function fitLogisticRidge(
  { columns, x, y }: ClassRows,
  penalty: number,
  { gram = gramOf(x, columns), stop = CONVERGED }: { gram?: Float64Array; stop?: Stop } = {},
): LogisticModel {
  const size = columns + 1;
  const bound = gram.map((value) => value / 4);
  for (let i = 0; i < columns; i++) bound[i * size + i]! += penalty;
  const factor = choleskyFactor(bound, size);
  if (!factor) {
    throw new RatchetError('drift.singular', 'the rows of the domain classifier are not finite');
  }
  const b = new Float64Array(size);
  const step = new Float64Array(size);
  for (let iteration = 0; iteration < stop.maxSteps; iteration++) {
    step.fill(0);
    addGradient({ columns, x, y }, b, step);
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

/**
 * Adds sum_i (y_i - p_i) (x_i, 1) to `step`. Two rows at a time: a sum waits for each of its additions, and those of two
 * rows need not wait for one another. Every sum keeps its order.
 */
function addGradient({ columns, x, y }: ClassRows, b: Float64Array, step: Float64Array): void {
  const last = y.length - 1;
  for (let row = 0; row <= last; row += 2) {
    const from = row * columns;
    // An odd last row stands beside itself, with a residual of 0.
    const next = row < last ? from + columns : from;
    let one = b[columns]!;
    let two = one;
    for (let c = 0; c < columns; c++) {
      one += x[from + c]! * b[c]!;
      two += x[next + c]! * b[c]!;
    }
    const first = y[row]! - 1 / (1 + Math.exp(-one));
    const second = row < last ? y[row + 1]! - 1 / (1 + Math.exp(-two)) : 0;
    for (let c = 0; c < columns; c++) {
      step[c] = step[c]! + first * x[from + c]! + second * x[next + c]!;
    }
    step[columns] = step[columns]! + first + second;
  }
}

/** Lower triangle of X'X with a column of ones appended, row-major [(columns + 1)^2]. */
export function gramOf(x: Float64Array, columns: number): Float64Array {
  const size = columns + 1;
  const gram = new Float64Array(size * size);
  const rows = x.length / columns;
  for (let row = 0; row < rows; row += 2) {
    const from = row * columns;
    // An odd last row stands beside itself, times 0.
    const single = row === rows - 1;
    const next = single ? from : from + columns;
    for (let i = 0; i < columns; i++) {
      const xi = x[from + i]!;
      const yi = single ? 0 : x[next + i]!;
      const at = i * size;
      for (let j = 0; j <= i; j++) {
        gram[at + j] = gram[at + j]! + xi * x[from + j]! + yi * x[next + j]!;
      }
      gram[columns * size + i] = gram[columns * size + i]! + xi + yi;
    }
  }
  gram[columns * size + columns] = rows;
  return gram;
}
