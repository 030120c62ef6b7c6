import { z } from 'zod';
import { difference, ratio } from './arithmetic.ts';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { closeLocation, logClose, logHigh, logLow, logOpen, trueRanges } from './series.ts';
import { windowMean } from './windows.ts';

/** ln o - ln c[-1]: what happened while the market was closed. */
export const gaps = (input: IndicatorInput): Float64Array =>
  input.share('gaps', () => {
    const open = logOpen(input);
    const close = logClose(input);
    const out = new Float64Array(input.rows).fill(NaN, 0, Math.min(1, input.rows));
    for (let t = 1; t < out.length; t++) out[t] = open[t]! - close[t - 1]!;
    return out;
  });

export const gap = defineIndicator({
  name: 'gap',
  docs: 'ln(o / c[-1])',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 1,
  memoryBars: () => 1,
  compute: (input) => gaps(input),
});

/** ln c - ln o. */
export const bodies = (input: IndicatorInput): Float64Array =>
  input.share('bodies', () => difference(logClose(input), logOpen(input)));

export const body = defineIndicator({
  name: 'body',
  docs: 'ln(c / o)',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: (input) => bodies(input),
});

/** ln h - ln l. */
export const logRanges = (input: IndicatorInput): Float64Array =>
  input.share('logRanges', () => difference(logHigh(input), logLow(input)));

export const barRange = defineIndicator({
  name: 'barRange',
  docs: 'ln(h / l)',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: (input) => logRanges(input),
});

/** Parts of the bar as shares of its range; 0 where the range is empty. */
export const barPart = defineIndicator({
  name: 'barPart',
  docs: 'upper shadow h - max(o, c), lower shadow min(o, c) - l, or body |c - o|, each / (h - l) [0]',
  params: z.strictObject({ part: z.enum(['upper', 'lower', 'body']).default('body') }),
  examples: [{ part: 'upper' }, { part: 'lower' }],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: ({ rows, open, high, low, close }, { part }) => {
    const out = new Float64Array(rows);
    for (let t = 0; t < rows; t++) {
      const o = open[t]!;
      const c = close[t]!;
      const range = high[t]! - low[t]!;
      let size = Math.abs(c - o);
      if (part === 'upper') size = high[t]! - Math.max(o, c);
      else if (part === 'lower') size = Math.min(o, c) - low[t]!;
      out[t] = range === 0 ? 0 : size / range;
    }
    return out;
  },
});

export const closeLocationMean = defineIndicator({
  name: 'closeLocation',
  docs: 'mean over `period` bars of (2c - h - l) / (h - l) [0]',
  params: z.strictObject({ period: z.int().min(1).default(1) }),
  examples: [{ period: 5 }],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: (input, { period }) => windowMean(closeLocation(input), period, input.positions),
});

export const trueRange = defineIndicator({
  name: 'trueRange',
  docs: 'max(h - l, |h - c[-1]|, |l - c[-1]|) / c',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 1,
  memoryBars: () => 1,
  compute: (input) => ratio(trueRanges(input), input.close, 0),
});

export const rangeOverClose = defineIndicator({
  name: 'rangeOverClose',
  docs: '(h - l) / c',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: ({ high, low, close }) => ratio(difference(high, low), close, 0),
});
