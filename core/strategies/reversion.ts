export interface Reversion {
  /** At or below: buy. */
  readonly low: number;
  /** At or above: sell. */
  readonly high: number;
  /** A long position ends at or above it, a short one at or below. */
  readonly exit: number;
  /** A position ends so many bars after the last bar that called for it. */
  readonly holdBars: number;
  /** false: sell means flat. */
  readonly short: boolean;
}

/**
 * Positions that bet on a return to the middle. The newest bar of the last `holdBars` that lay in one of the outer zones
 * rules, unless the exit was reached after it: no position depends on older bars, so that it is the same from any
 * history that reaches back so far. NaN where `x` is, which ends a position too.
 */
export function reversionPositions(x: Float64Array, rule: Reversion): Float64Array {
  const { low, high, exit, holdBars, short } = rule;
  const out = new Float64Array(x.length);
  let state = 0;
  let age = 0;
  for (let t = 0; t < x.length; t++) {
    const value = x[t]!;
    age++;
    if (value <= low || value >= high) {
      age = 0;
      state = value <= low ? 1 : short ? -1 : 0;
    } else if (
      age >= holdBars ||
      (state > 0 && value >= exit) ||
      (state < 0 && value <= exit) ||
      Number.isNaN(value)
    ) {
      state = 0;
    }
    out[t] = Number.isNaN(value) ? NaN : state;
  }
  return out;
}

/** 1 above 0, below it -1 (or 0 where nothing is sold short), 0 (never -0) at it; NaN stays. */
export function signPositions(x: Float64Array, short: boolean): Float64Array {
  const out = new Float64Array(x.length);
  const below = short ? -1 : 0;
  for (let t = 0; t < x.length; t++) {
    const value = x[t]!;
    out[t] = value < 0 ? below : value > 0 ? 1 : value + 0;
  }
  return out;
}
