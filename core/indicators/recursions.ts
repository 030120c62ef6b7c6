import { type BarPositions, eachRun } from './positions.ts';

/** Smoothers with infinite memory, started afresh at anchors so that they are functions of the bars. */

/** Bars after which the start of an EMA weighs e^-14 = 8e-7. */
export const emaMemory = (period: number): number => 7 * (period + 1);

/** Bars after which the start of Wilder's smoothing weighs about 5e-7. */
export const wilderMemory = (period: number): number => 14 * period;

/**
 * Exponential moving average, alpha = 2 / (period + 1), seeded by the mean of the first `period` values
 * of each run (TA-Lib's default). The first `period - 1` rows of history are NaN.
 */
export const emaColumn = (x: Float64Array, period: number, positions: BarPositions): Float64Array =>
  smoothed(x, positions, {
    ...{ period, alpha: 2 / (period + 1), memory: emaMemory(period) },
    needsBarBefore: false,
  });

/**
 * Wilder's smoothing, alpha = 1 / period, of values that need the bar before (true range, changes): the
 * first bar of a run has none, so the mean of the `period` values after it is the seed.
 * The first `period` rows of history are NaN.
 */
export const wilderColumn = (
  x: Float64Array,
  period: number,
  positions: BarPositions,
): Float64Array =>
  smoothed(x, positions, {
    ...{ period, alpha: 1 / period, memory: wilderMemory(period) },
    needsBarBefore: true,
  });

interface Smoothing {
  /** Values whose mean is the seed. */
  readonly period: number;
  readonly alpha: number;
  readonly memory: number;
  /** The first bar of a run has no value. */
  readonly needsBarBefore: boolean;
}

function smoothed(
  x: Float64Array,
  positions: BarPositions,
  { period, alpha, memory, needsBarBefore }: Smoothing,
): Float64Array {
  const out = new Float64Array(x.length).fill(NaN);
  eachRun(positions, memory, (start, from, to) => {
    const first = needsBarBefore ? start + 1 : start;
    const seeded = first + period - 1;
    if (seeded >= to) return;
    let sum = 0;
    for (let t = first; t <= seeded; t++) sum += x[t]!;
    let value = sum / period;
    if (seeded >= from) out[seeded] = value;
    for (let t = seeded + 1; t < to; t++) {
      value += alpha * (x[t]! - value);
      if (t >= from) out[t] = value;
    }
  });
  return out;
}
