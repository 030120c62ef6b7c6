import { z } from 'zod';
import { eachRun } from './anchors.ts';
import { ratio, ratioOf, sizesOf } from './arithmetic.ts';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { half, kernel, minus, number, over, plus, size, smallest, times, zero } from './kernel.ts';
import { columnBy } from './positions.ts';
import { closeChange, logClose, trueRanges } from './series.ts';
import { windowSum } from './windows.ts';

/**
 * Chande momentum oscillator (Chande, 1994), -1..1, by plain sums (TA-Lib smooths as Wilder does).
 * Formula: sum of changes / sum of their sizes. Edge: 0 where nothing moved.
 */
export const cmo = defineIndicator({
  name: 'cmo',
  docs: '(sum of gains - sum of losses) / (sum of both) over `period` changes [0]',
  params: z.strictObject({ period: z.int().min(1).default(14) }),
  examples: [{ period: 20 }],
  warmupBars: ({ period }) => period,
  memoryBars: ({ period }) => period,
  compute: (input, { period }) => {
    const { positions } = input;
    const moves = closeChange(input);
    const net = windowSum(moves, period, positions);
    return ratio(net, windowSum(sizesOf(moves, positions), period, positions), 0, positions);
  },
});

const efficiencyKernel = kernel(3, 0, ([c, before, path]) =>
  ratioOf(size(minus(c!, before!)), path!, zero),
);

/** Efficiency ratio (Kaufman, 1995), 0..1. Formula: |c - c[-n]| / sum |dc|. */
export const efficiency = defineIndicator({
  name: 'efficiency',
  docs: '|c - c[-period]| / sum |c - c[-1]| [0]',
  params: z.strictObject({ period: z.int().min(1).default(10) }),
  examples: [{ period: 60 }],
  warmupBars: ({ period }) => period,
  memoryBars: ({ period }) => period,
  compute: (input, { period }) => {
    const { positions, close } = input;
    const path = windowSum(sizesOf(closeChange(input), positions), period, positions);
    return columnBy(positions, efficiencyKernel, [close, [close, period], path], [], period);
  },
});

/** Three EMAs need a longer memory: the start decays as m^2 e^(-2m / (n + 1)). */
const trixMemory = (period: number): number => 11 * (period + 1);

/**
 * TRIX (Hutson) of the log close. Formula: change of ema(ema(ema(ln c))).
 * Edge: each EMA starts with the mean of the first `period` values of the one inside it.
 */
export const trix = defineIndicator({
  name: 'trix',
  docs: 'one-bar change of the triple EMA of ln c',
  params: z.strictObject({ period: z.int().min(1).default(15) }),
  examples: [{ period: 5 }],
  recursive: true,
  warmupBars: ({ period }) => 3 * period - 2,
  memoryBars: ({ period }) => trixMemory(period),
  compute: (input, { period }) => {
    const x = logClose(input);
    const out = input.positions.column();
    const state: Trix = { start: -1, row: -1, one: 0, two: 0, three: 0 };
    eachRun(input.positions, trixMemory(period), (start, from, to) => {
      if (state.start !== start || state.row !== from || from === 0) {
        Object.assign(state, { start, row: start, one: 0, two: 0, three: 0 });
      }
      followTrix(state, period, x, out, [from, to]);
    });
    return out;
  },
});

/** Where a recursion that began at `start` is: its averages before `row` is added to them. */
interface Trix {
  start: number;
  row: number;
  one: number;
  two: number;
  three: number;
}

function followTrix(
  state: Trix,
  period: number,
  x: Float64Array,
  out: Float64Array,
  [from, to]: readonly [from: number, to: number],
): void {
  const alpha = 2 / (period + 1);
  const keep = 1 - alpha;
  const share = 1 / period;
  /** The first row at which all three averages are past their seeds. */
  const seeded = state.start + 3 * period - 2;
  let { one, two, three, row: t } = state;
  for (; t < to && t <= seeded; t++) {
    // The averages of averages begin when the one inside has its first value.
    const first = t - state.start;
    const second = first - period + 1;
    const third = second - period + 1;
    one = first < period ? one + share * x[t]! : keep * one + alpha * x[t]!;
    if (second < 0) continue;
    two = second < period ? two + share * one : keep * two + alpha * one;
    if (third < 0) continue;
    const before = three;
    three = third < period ? three + share * two : keep * three + alpha * two;
    if (third >= period && t >= from) out[t] = three - before;
  }
  for (; t < from; t++) {
    one = keep * one + alpha * x[t]!;
    two = keep * two + alpha * one;
    three = keep * three + alpha * two;
  }
  for (; t < to; t++) {
    const before = three;
    one = keep * one + alpha * x[t]!;
    two = keep * two + alpha * one;
    three = keep * three + alpha * two;
    out[t] = three - before;
  }
  Object.assign(state, { row: to, one, two, three });
}

const ultimateKernel = kernel(6, 0, ([b1, r1, b2, r2, b3, r3]) => {
  const short = times(ratioOf(b1!, r1!, half), number(4));
  const medium = times(ratioOf(b2!, r2!, half), number(2));
  return over(plus(plus(short, medium), ratioOf(b3!, r3!, half)), number(7));
});

/**
 * Ultimate oscillator (Williams, 1985), 0..1. Formula: (4 a(short) + 2 a(medium) + a(long)) / 7 with
 * a(n) = sum of buying pressure / sum of true range, buying pressure = c - min(l, c[-1]).
 * Edge: 0.5 for an average whose true ranges are all 0.
 */
export const ultimate = defineIndicator({
  name: 'ultimate',
  docs: '(4 a(short) + 2 a(medium) + a(long)) / 7, a = sum(c - min(l, c[-1])) / sum(true range) [0.5]',
  params: z.strictObject({
    short: z.int().min(1).default(7),
    medium: z.int().min(1).default(14),
    long: z.int().min(1).default(28),
  }),
  examples: [],
  warmupBars: ({ short, medium, long }) => Math.max(short, medium, long),
  memoryBars: ({ short, medium, long }) => Math.max(short, medium, long),
  compute: (input, { short, medium, long }) => {
    const { positions } = input;
    const pressure = pressures(input);
    const range = trueRanges(input);
    const sums = [short, medium, long].flatMap((n) => [
      windowSum(pressure, n, positions),
      windowSum(range, n, positions),
    ]);
    return columnBy(positions, ultimateKernel, sums);
  },
});

const pressureKernel = kernel(3, 0, ([l, c, before]) => minus(c!, smallest(l!, before!)));

/** c - min(l, c[-1]): what the close gained from the lowest price since the one before. */
const pressures = ({ low, close, positions }: IndicatorInput): Float64Array =>
  columnBy(positions, pressureKernel, [low, close, [close, 1]], [], 1);
