import { z } from 'zod';
import { defineIndicator } from './indicator.ts';
import { eachRun } from './positions.ts';
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
    const moves = closeChange(input);
    const sizes = input.share('absolute changes', () => moves.map(Math.abs));
    const net = windowSum(moves, period, input.positions);
    const all = windowSum(sizes, period, input.positions);
    return net.map((value, t) => (all[t] === 0 ? 0 : value / all[t]!));
  },
});

/** Efficiency ratio (Kaufman, 1995), 0..1. Formula: |c - c[-n]| / sum |dc|. */
export const efficiency = defineIndicator({
  name: 'efficiency',
  docs: '|c - c[-period]| / sum |c - c[-1]| [0]',
  params: z.strictObject({ period: z.int().min(1).default(10) }),
  examples: [{ period: 60 }],
  warmupBars: ({ period }) => period,
  memoryBars: ({ period }) => period,
  compute: (input, { period }) => {
    const { close, rows } = input;
    const sizes = input.share('absolute changes', () => closeChange(input).map(Math.abs));
    const path = windowSum(sizes, period, input.positions);
    const out = new Float64Array(rows).fill(NaN, 0, Math.min(period, rows));
    for (let t = period; t < rows; t++) {
      out[t] = path[t] === 0 ? 0 : Math.abs(close[t]! - close[t - period]!) / path[t]!;
    }
    return out;
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
    const out = new Float64Array(input.rows).fill(NaN);
    const alpha = 2 / (period + 1);
    eachRun(input.positions, trixMemory(period), (start, from, to) => {
      let one = 0;
      let two = 0;
      let three = 0;
      for (let t = start; t < to; t++) {
        const age = t - start;
        const before = three;
        one += age < period ? x[t]! / period : alpha * (x[t]! - one);
        if (age < period - 1) continue;
        const second = age - period + 1;
        two += second < period ? one / period : alpha * (one - two);
        if (second < period - 1) continue;
        const third = second - period + 1;
        three += third < period ? two / period : alpha * (two - three);
        if (third >= period && t >= from) out[t] = three - before;
      }
    });
    return out;
  },
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
    const { rows, low, close } = input;
    const pressure = new Float64Array(rows).fill(NaN);
    for (let t = 1; t < rows; t++) pressure[t] = close[t]! - Math.min(low[t]!, close[t - 1]!);
    const out = new Float64Array(rows);
    for (const [period, weight] of [
      [short, 4],
      [medium, 2],
      [long, 1],
    ] as const) {
      const bought = windowSum(pressure, period, input.positions);
      const range = windowSum(trueRanges(input), period, input.positions);
      for (let t = 0; t < rows; t++) {
        out[t] = out[t]! + (weight / 7) * (range[t] === 0 ? 0.5 : bought[t]! / range[t]!);
      }
    }
    return out;
  },
});
