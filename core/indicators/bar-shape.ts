import { z } from 'zod';
import { difference, differenceKernel, ratio, ratioOf } from './arithmetic.ts';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { type Kernel, kernel, largest, minus, size, smallest, type Term, zero } from './kernel.ts';
import { columnBy } from './positions.ts';
import { closeLocation, logClose, logHigh, logLow, logOpen, trueRanges } from './series.ts';
import { windowMean } from './windows.ts';

/** ln o - ln c[-1]: what happened while the market was closed. */
export const gaps = (input: IndicatorInput): Float64Array =>
  input.share('gaps', () => {
    const open = logOpen(input);
    const close = logClose(input);
    return columnBy(input.positions, differenceKernel, [open, [close, 1]], [], 1);
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
  input.share('bodies', () => difference(logClose(input), logOpen(input), input.positions));

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
  input.share('logRanges', () => difference(logHigh(input), logLow(input), input.positions));

export const barRange = defineIndicator({
  name: 'barRange',
  docs: 'ln(h / l)',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: (input) => logRanges(input),
});

/** A part of the bar as a share of its range; 0 where the range is empty. */
const partKernel = (part: (o: Term, h: Term, l: Term, c: Term) => Term): Kernel =>
  kernel(4, 0, ([o, h, l, c]) => ratioOf(part(o!, h!, l!, c!), minus(h!, l!), zero));

const parts = {
  upper: partKernel((o, h, _l, c) => minus(h, largest(o, c))),
  lower: partKernel((o, _h, l, c) => minus(smallest(o, c), l)),
  body: partKernel((o, _h, _l, c) => size(minus(c, o))),
} as const;

/** Parts of the bar as shares of its range; 0 where the range is empty. */
export const barPart = defineIndicator({
  name: 'barPart',
  docs: 'upper shadow h - max(o, c), lower shadow min(o, c) - l, or body |c - o|, each / (h - l) [0]',
  params: z.strictObject({ part: z.enum(['upper', 'lower', 'body']).default('body') }),
  examples: [{ part: 'upper' }, { part: 'lower' }],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: ({ positions, open, high, low, close }, { part }) =>
    columnBy(positions, parts[part], [open, high, low, close]),
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
  compute: (input) => ratio(trueRanges(input), input.close, 0, input.positions),
});

export const rangeOverClose = defineIndicator({
  name: 'rangeOverClose',
  docs: '(h - l) / c',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: ({ high, low, close, positions }) =>
    ratio(difference(high, low, positions), close, 0, positions),
});
