import { kernel, plus, times } from './kernel.ts';
import { anchorsThrough, eachRun } from './anchors.ts';
import { type BarPositions, columnOf, formulaRun } from './positions.ts';

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

/**
 * A recursion v <- (1 - alpha) v + alpha x that starts afresh at anchors, at about two passes whatever its memory: between
 * anchors it is v[t] = (v[r] - z[r]) (1 - alpha)^(t - r) + z[t], where z is the same recursion begun with 0 at the anchor
 * before t, and r the anchor or, in the interval of the seed, the row of that. All of it depends on no bar before the start.
 */
function smoothed(x: Float64Array, positions: BarPositions, smoothing: Smoothing): Float64Array {
  const { period, alpha, memory, needsBarBefore } = smoothing;
  const keep = 1 - alpha;
  const z = fromZero(x, alpha, positions);
  const powers = powersOf(keep, positions);
  const out = positions.column();
  const begunAt = formulaRun(positions, begunAtKernel, out, [powers, z]);
  const { anchors } = positions;
  /** The start of the run, its row r, v[r] - z[r], and how many anchors lie at or before r. */
  const known = { start: -1, row: 0, excess: 0, passed: 0 };
  eachRun(positions, memory, (start, from, to) => {
    const first = needsBarBefore ? start + 1 : start;
    const seeded = first + period - 1;
    if (from === 0) known.start = -1;
    if (seeded >= to) return;
    let { row, excess, passed } = known;
    if (known.start !== start) {
      row = seeded;
      excess = sumOf(x, first, seeded) / period - z[seeded]!;
      passed = anchorsThrough(anchors, seeded);
    }
    for (let t = Math.max(from, seeded); t < to;) {
      const anchor = passed < anchors.length ? anchors[passed]! : to;
      if (anchor > t) {
        const end = Math.min(anchor, to);
        if (end - t >= FEW_ROWS) begunAt([row, 0], [excess], t, end);
        else for (let i = t; i < end; i++) out[i] = powers[i - row]! * excess + z[i]!;
        t = end;
      }
      if (anchor < to) {
        const before = excess * powers[anchor - 1 - row]! + z[anchor - 1]!;
        excess = keep * before + alpha * x[anchor]!;
        row = anchor;
        passed++;
      }
    }
    known.start = start;
    known.row = row;
    known.excess = excess;
    known.passed = passed;
  });
  return out;
}

/** Fewer are not worth the call of a program. */
const FEW_ROWS = 4;

/** The rows of one stretch between anchors. */
const begunAtKernel = kernel(2, 1, ([powers, z], [excess]) => plus(times(powers!, excess!), z!));

/** v <- (1 - alpha) v + alpha x, begun with 0 at row 0 and at each anchor. */
function fromZero(x: Float64Array, alpha: number, positions: BarPositions): Float64Array {
  return positions.share(x, `from zero ${alpha}`, () => {
    return columnOf(
      positions,
      [positions.anchors, x, alpha],
      (out, [anchors, x, alpha], from, to) => {
        let next = anchorsThrough(anchors, from - 1);
        for (let t = from; t < to;) {
          if (t === 0 || t === anchors[next]) {
            out[t] = 0;
            if (t > 0) next++;
            t++;
          }
          const end = Math.min(to, anchors[next] ?? to);
          if (end === to) {
            goOn(out, [x, alpha], t, end);
            t = end;
            continue;
          }
          // Two stretches do not wait for each other: side by side they take little longer than one.
          const later = Math.min(to, anchors[next + 1] ?? to);
          const both = Math.min(end - t, later - end - 1);
          out[end] = 0;
          goOnTwice(out, [x, alpha], t, end + 1, both);
          goOn(out, [x, alpha], t + both, end);
          goOn(out, [x, alpha], end + 1 + both, later);
          next++;
          t = later;
        }
      },
    );
  });
}

type Decay = readonly [x: Float64Array, alpha: number];

/** Goes on from the row before `from`. */
function goOn(out: Float64Array, [x, alpha]: Decay, from: number, to: number): void {
  if (from >= to) return;
  const keep = 1 - alpha;
  let value = out[from - 1]!;
  for (let t = from; t < to; t++) {
    value = keep * value + alpha * x[t]!;
    out[t] = value;
  }
}

function goOnTwice(
  out: Float64Array,
  [x, alpha]: Decay,
  first: number,
  second: number,
  rows: number,
): void {
  const keep = 1 - alpha;
  let a = out[first - 1]!;
  let b = out[second - 1]!;
  for (let t = first, s = second; t < first + rows; t++, s++) {
    a = keep * a + alpha * x[t]!;
    b = keep * b + alpha * x[s]!;
    out[t] = a;
    out[s] = b;
  }
}

/** The powers of `base` from the 0th on. */
const powersOf = (base: number, positions: BarPositions): Float64Array => {
  const powers = positions.column();
  let power = 1;
  for (let i = 0; i < powers.length; i++, power *= base) powers[i] = power;
  return powers;
};

function sumOf(x: Float64Array, first: number, last: number): number {
  let sum = 0;
  for (let t = first; t <= last; t++) sum += x[t]!;
  return sum;
}
