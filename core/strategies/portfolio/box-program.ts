import { RatchetError } from '../../errors.ts';
import { choleskyFactor, solveCholesky } from '../../metrics/cholesky.ts';

/** min w'Qw / 2 - c'w over 0 <= w <= upper, and sum w = total where one is given. */
export interface BoxProgram {
  /** Symmetric positive definite, row-major [n x n]. */
  readonly quadratic: Float64Array;
  readonly linear: Float64Array;
  /** > 0, the same for all. */
  readonly upper: number;
  /** Within 0..n upper; absent: any sum. */
  readonly total?: number | undefined;
}

type Place = 'free' | 'low' | 'high';

/** What is smaller is rounding: relative to the largest weight, and to the largest gradient. */
const TOLERANCE = 1e-12;
/** Steps a variable: each changes the place of one; an active set seldom needs more than two or three. */
const STEPS_MAX = 50;

/**
 * The only solution, exact up to rounding: a primal active set method (Nocedal and Wright 2006, section 16.5). Variables
 * on a bound stay there, the rest solves a linear system; the bound whose multiplier has the wrong sign is let go.
 * Throws `portfolio.not-solved` where Q is not positive definite.
 */
export function solveBoxProgram(program: BoxProgram): Float64Array {
  const { linear, upper, total } = program;
  const n = linear.length;
  // Feasible, and where it cannot move it is already the solution.
  const w = new Float64Array(n).fill(total === undefined ? upper / 2 : total / n);
  const places: Place[] = Array.from(linear, () => 'free');
  for (let step = 0; step < STEPS_MAX * (n + 1); step++) {
    const { solution, multiplier } = solveFree(program, w, places);
    if (!moveTowards(w, solution, places, upper)) continue;
    const released = release(program, w, places, multiplier);
    if (!released) return w;
  }
  throw notSolved();
}

const notSolved = (): RatchetError =>
  new RatchetError(
    'portfolio.not-solved',
    'no weights found: the covariance is not positive definite',
  );

/** The best values of the free variables (others as they stand), and the multiplier of the sum. */
function solveFree(
  { quadratic, linear, total }: BoxProgram,
  w: Float64Array,
  places: readonly Place[],
): { solution: Float64Array; multiplier: number } {
  const n = w.length;
  const free = places.flatMap((place, i) => (place === 'free' ? [i] : []));
  const solution = Float64Array.from(w);
  const m = free.length;
  // Only without a sum: with one, the last free variable has nowhere to go and stays free.
  if (m === 0) return { solution, multiplier: 0 };
  const block = new Float64Array(m * m);
  const right = new Float64Array(m);
  let rest = total ?? 0;
  for (let j = 0; j < n; j++) if (places[j] !== 'free') rest -= w[j]!;
  free.forEach((i, a) => {
    right[a] = linear[i]!;
    for (let j = 0; j < n; j++)
      if (places[j] !== 'free') right[a]! -= quadratic[i * n + j]! * w[j]!;
    free.forEach((j, b) => (block[a * m + b] = quadratic[i * n + j]!));
  });
  const factor = choleskyFactor(block, m);
  if (!factor) throw notSolved();
  const x = solveCholesky(factor, m, right);
  let multiplier = 0;
  if (total !== undefined) {
    const ones = solveCholesky(factor, m, new Float64Array(m).fill(1));
    multiplier = (sumOf(x) - rest) / sumOf(ones);
    for (let a = 0; a < m; a++) x[a]! -= multiplier * ones[a]!;
  }
  free.forEach((i, a) => (solution[i] = x[a]!));
  return { solution, multiplier };
}

/** Moves to the solution, or to the first bound on the way, which then holds; true: it arrived. */
function moveTowards(
  w: Float64Array,
  solution: Float64Array,
  places: Place[],
  upper: number,
): boolean {
  let share = 1;
  let blocking = -1;
  const slack = TOLERANCE * upper;
  for (let i = 0; i < w.length; i++) {
    const step = solution[i]! - w[i]!;
    const bound = step < 0 ? 0 : upper;
    const beyond = step < 0 ? solution[i]! < -slack : solution[i]! > upper + slack;
    if (places[i] !== 'free' || !beyond) continue;
    const reach = (bound - w[i]!) / step;
    if (reach < share || blocking < 0) [share, blocking] = [Math.max(0, reach), i];
  }
  for (let i = 0; i < w.length; i++) {
    if (places[i] === 'free') w[i] = inside(w[i]! + share * (solution[i]! - w[i]!), upper);
  }
  if (blocking < 0) return true;
  const low = solution[blocking]! < 0;
  places[blocking] = low ? 'low' : 'high';
  w[blocking] = low ? 0 : upper;
  return false;
}

const inside = (value: number, upper: number): number => Math.min(upper, Math.max(0, value));

/** Lets the bound go that is worst; false: all multipliers have their signs, this is the solution. */
function release(
  { quadratic, linear }: BoxProgram,
  w: Float64Array,
  places: Place[],
  multiplier: number,
): boolean {
  const n = w.length;
  const gradient = linear.map((c, i) => {
    let sum = -c;
    for (let j = 0; j < n; j++) sum += quadratic[i * n + j]! * w[j]!;
    return sum;
  });
  const scale = TOLERANCE * Math.max(...gradient.map(Math.abs), ...linear.map(Math.abs));
  let worst = scale;
  let at = -1;
  for (let i = 0; i < n; i++) {
    if (places[i] === 'free') continue;
    const slope = gradient[i]! + multiplier;
    const wrong = places[i] === 'low' ? -slope : slope;
    if (wrong > worst) [worst, at] = [wrong, i];
  }
  if (at >= 0) places[at] = 'free';
  return at >= 0;
}

const sumOf = (x: Float64Array): number => x.reduce((a, b) => a + b, 0);
