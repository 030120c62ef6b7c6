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
export function emaColumn(x: Float64Array, period: number, positions: BarPositions): Float64Array {
  const out = new Float64Array(x.length).fill(NaN);
  const alpha = 2 / (period + 1);
  eachRun(positions, emaMemory(period), (start, from, to) => {
    let sum = 0;
    const seeded = start + period - 1;
    if (seeded >= to) return;
    for (let t = start; t <= seeded; t++) sum += x[t]!;
    let value = sum / period;
    if (seeded >= from) out[seeded] = value;
    for (let t = seeded + 1; t < to; t++) {
      value += alpha * (x[t]! - value);
      if (t >= from) out[t] = value;
    }
  });
  return out;
}

/**
 * Wilder's smoothing, alpha = 1 / period, of values that need the bar before (true range, changes): the
 * first bar of a run has none, so the mean of the `period` values after it is the seed.
 * The first `period` rows of history are NaN.
 */
export function wilderColumn(
  x: Float64Array,
  period: number,
  positions: BarPositions,
): Float64Array {
  const out = new Float64Array(x.length).fill(NaN);
  const alpha = 1 / period;
  eachRun(positions, wilderMemory(period), (start, from, to) => {
    let sum = 0;
    const seeded = start + period;
    if (seeded >= to) return;
    for (let t = start + 1; t <= seeded; t++) sum += x[t]!;
    let value = sum / period;
    if (seeded >= from) out[seeded] = value;
    for (let t = seeded + 1; t < to; t++) {
      value += alpha * (x[t]! - value);
      if (t >= from) out[t] = value;
    }
  });
  return out;
}
