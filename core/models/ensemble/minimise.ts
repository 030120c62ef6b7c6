import { choleskyFactor, solveCholesky } from '../../metrics/cholesky.ts';

/** A smooth, strictly convex function at a point. */
export interface Point {
  readonly value: number;
  readonly gradient: Float64Array;
  /** Row-major, symmetric. */
  readonly hessian: Float64Array;
}

export type Convex = (at: Float64Array) => Point;

const STEPS_MAX = 100;
const HALVINGS_MAX = 40;
/** Decrease that Newton's model still promises at the end, as a share of the value: rounding. */
const TOLERANCE = 1e-15;
/** A gradient that pulls away from the bound by less is rounding too. */
const PULL = 1e-9;
/** A variable that came back to its bound so often stays there: no cycle can last. */
const RELEASES_MAX = 2;

/** Newton's step over the free variables; 0 elsewhere; undefined where the Hessian is not positive definite. */
function stepOf({ gradient, hessian }: Point, free: readonly number[]): Float64Array | undefined {
  const [n, m] = [gradient.length, free.length];
  const part = Float64Array.from({ length: m * m }, (_, at) => {
    return hessian[free[Math.floor(at / m)]! * n + free[at % m]!]!;
  });
  const factor = choleskyFactor(part, m);
  if (!factor) return undefined;
  const solved = solveCholesky(
    factor,
    m,
    Float64Array.from(free, (i) => -gradient[i]!),
  );
  const step = new Float64Array(n);
  free.forEach((i, place) => (step[i] = solved[place]!));
  return step;
}

/** Newton's method with halved steps over the free variables. */
function newton(convex: Convex, from: Float64Array, free: readonly number[]): Float64Array {
  let at = from;
  let point = convex(at);
  for (let steps = 0; steps < STEPS_MAX && free.length > 0; steps++) {
    const step = stepOf(point, free);
    if (!step) break;
    const slope = step.reduce((sum, s, i) => sum + s * point.gradient[i]!, 0);
    if (-slope <= TOLERANCE * Math.max(1, Math.abs(point.value))) break;
    let [next, t] = [point, 1];
    for (let halvings = 0; halvings <= HALVINGS_MAX; halvings++, t /= 2) {
      next = convex(at.map((value, i) => value + t * step[i]!));
      if (next.value <= point.value + 1e-4 * t * slope) break;
    }
    // Nothing along the way is lower by more than rounding: this is the minimum.
    if (!(next.value < point.value)) break;
    at = at.map((value, i) => value + t * step[i]!);
    point = next;
  }
  return at;
}

/**
 * Where a strictly convex function is least, some variables held at 0 or above (active sets: a variable that would be
 * negative is held at 0, and set free where the function falls from there).
 */
export function minimise(
  convex: Convex,
  from: Float64Array,
  bounded: readonly boolean[],
): Float64Array {
  const held = new Set<number>();
  const releases = new Float64Array(from.length);
  let at = from;
  for (;;) {
    const free = [...from.keys()].filter((i) => !held.has(i));
    at = newton(convex, at, free);
    const negative = free.filter((i) => bounded[i] && at[i]! < 0);
    if (negative.length > 0) {
      const worst = negative.reduce((a, b) => (at[b]! < at[a]! ? b : a));
      held.add(worst);
      at = at.map((value, i) => (i === worst ? 0 : value));
      continue;
    }
    const { gradient } = convex(at);
    const falling = [...held].filter((i) => gradient[i]! < -PULL && releases[i]! < RELEASES_MAX);
    if (falling.length === 0) return at;
    const steepest = falling.reduce((a, b) => (gradient[b]! < gradient[a]! ? b : a));
    held.delete(steepest);
    releases[steepest]! += 1;
  }
}
