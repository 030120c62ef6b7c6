import { RatchetError } from '../errors.ts';
import { choleskyFactor, solveCholesky } from '../metrics/cholesky.ts';

/**
 * Multinomial logistic regression with a ridge penalty.
 * Formula: the minimum over B [classes x (f + 1)] of sum_i -ln p_i(y_i) + penalty / 2 |B without intercepts|^2,
 * p_i = softmax(B [x_i, 1]); intercepts are not penalised.
 * Method: L-BFGS (Liu and Nocedal, 1989) in the metric of Boehning's bound (1992): the Hessian is at most
 * 1/2 (I - 11'/K) kron X'X + penalty I, which for columns that are centred is one Cholesky factor for all classes and
 * steps; near that bound, where market data lie, a few steps end it. No randomness and no step size: the same rows
 * give the same bits.
 * Edge cases: a constant column gets 0; a class without rows must be left out by the caller, for its intercept would
 * run away.
 */

/** Rows with their classes; row-major, every column of mean 0. */
export interface ClassRows {
  readonly x: Float64Array;
  readonly columns: number;
  /** 0..classes-1, each present. */
  readonly y: Uint8Array;
  readonly classes: number;
  /** `centredGram(x, columns)`, which all penalties share. */
  readonly gram: Float64Array;
}

/** Pairs of steps and gradient changes that are remembered. */
const MEMORY = 10;
const STEPS_MAX = 500;
const HALVINGS_MAX = 40;
/** Share of the promised decrease that a step must bring (Armijo). */
const SUFFICIENT = 1e-4;
/** Decrease of the mean log loss that the bound still promises at the end: far below what a probability shows. */
const TOLERANCE = 1e-15;
/** Rounding of a sum of losses; a step that is lost in it is as good as any. */
const ROUNDING = 1e-14;

/** Lower triangle of X'X, row-major. */
export function centredGram(x: Float64Array, columns: number): Float64Array {
  const gram = new Float64Array(columns * columns);
  for (let from = 0; from < x.length; from += columns) {
    for (let i = 0; i < columns; i++) {
      const xi = x[from + i]!;
      const at = i * columns;
      for (let j = 0; j <= i; j++) gram[at + j]! += xi * x[from + j]!;
    }
  }
  return gram;
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** a + t b */
const along = (a: Float64Array, t: number, b: Float64Array): Float64Array =>
  a.map((value, i) => value + t * b[i]!);

interface Point {
  readonly at: Float64Array;
  readonly value: number;
  readonly gradient: Float64Array;
}

/** Penalised loss and its gradient. */
function evaluate(rows: ClassRows, penalty: number, at: Float64Array): Point {
  const { x, columns, y, classes } = rows;
  const width = columns + 1;
  const gradient = new Float64Array(at.length);
  const p = new Float64Array(classes);
  let value = 0;
  for (let row = 0; row < y.length; row++) {
    const from = row * columns;
    let largest = -Infinity;
    for (let c = 0; c < classes; c++) {
      let score = at[c * width + columns]!;
      for (let i = 0; i < columns; i++) score += x[from + i]! * at[c * width + i]!;
      p[c] = score;
      largest = Math.max(largest, score);
    }
    value += largest - p[y[row]!]!;
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += p[c] = Math.exp(p[c]! - largest);
    value += Math.log(sum);
    for (let c = 0; c < classes; c++) {
      const residual = p[c]! / sum - (y[row] === c ? 1 : 0);
      for (let i = 0; i < columns; i++) gradient[c * width + i]! += residual * x[from + i]!;
      gradient[c * width + columns]! += residual;
    }
  }
  for (let k = 0; k < at.length; k++) {
    if (k % width === columns) continue;
    value += (penalty / 2) * at[k]! ** 2;
    gradient[k]! += penalty * at[k]!;
  }
  return { at, value, gradient };
}

/** Multiplies by the inverse of the bound. */
function boundOf(rows: ClassRows, penalty: number): (g: Float64Array) => Float64Array {
  const { columns, classes, gram, y } = rows;
  const bound = gram.map((value) => value / 2);
  for (let i = 0; i < columns; i++) bound[i * columns + i]! += penalty;
  const factor = choleskyFactor(bound, columns);
  if (!factor) throw new RatchetError('training.singular', 'logistic: X is not finite');
  return (g) => {
    const out = g.slice();
    for (let c = 0; c < classes; c++) {
      const from = c * (columns + 1);
      solveCholesky(factor, columns, out.subarray(from, from + columns));
      out[from + columns]! /= y.length / 2;
    }
    return out;
  };
}

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  readonly curvature: number;
}

/** The two loops of L-BFGS: an estimate of the inverse Hessian times the gradient. */
function direction(
  gradient: Float64Array,
  pairs: readonly Pair[],
  metric: (g: Float64Array) => Float64Array,
): Float64Array {
  let q = gradient;
  const alphas = pairs.toReversed().map(({ step, change, curvature }) => {
    const alpha = dot(step, q) / curvature;
    q = along(q, -alpha, change);
    return alpha;
  });
  let d = metric(q);
  pairs.forEach(({ step, change, curvature }, i) => {
    const beta = dot(change, d) / curvature;
    d = along(d, alphas[pairs.length - 1 - i]! - beta, step);
  });
  return d.map((value) => -value);
}

/** The first of the steps 1, 1/2, 1/4 ... that brings what it should; undefined where none does. */
function search(rows: ClassRows, penalty: number, from: Point, d: Float64Array): Point | undefined {
  const slope = dot(from.gradient, d);
  for (let t = 1, halvings = 0; halvings <= HALVINGS_MAX; t /= 2, halvings++) {
    const next = evaluate(rows, penalty, along(from.at, t, d));
    const most = from.value + SUFFICIENT * t * slope + ROUNDING * Math.abs(from.value);
    if (next.value <= most) return next;
  }
  return undefined;
}

/** B, row-major [classes x (columns + 1)], the intercept last; every column adds up to 0 over the classes. */
export function fitSoftmaxRegression(rows: ClassRows, penalty: number): Float64Array {
  const metric = boundOf(rows, penalty);
  let point = evaluate(rows, penalty, new Float64Array(rows.classes * (rows.columns + 1)));
  let pairs: readonly Pair[] = [];
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    const promised = dot(point.gradient, metric(point.gradient)) / 2;
    if (promised <= TOLERANCE * rows.y.length) break;
    const next = search(rows, penalty, point, direction(point.gradient, pairs, metric));
    // Nothing along the way is lower by more than rounding: this is the minimum.
    if (!next) break;
    const step = along(next.at, -1, point.at);
    const change = along(next.gradient, -1, point.gradient);
    const curvature = dot(step, change);
    if (curvature > 0) pairs = [...pairs, { step, change, curvature }].slice(-MEMORY);
    point = next;
  }
  return point.at;
}
