import { z } from 'zod';
import { change, lagged, ratioMinusOne } from './arithmetic.ts';
import { defineIndicator } from './indicator.ts';
import { logClose, logReturns } from './series.ts';

/** Log return over some bars. Formula: ln c - ln c[-bars]. */
export const logReturn = defineIndicator({
  name: 'logReturn',
  docs: 'log return over `bars` bars: ln c - ln c[-bars]',
  params: z.strictObject({ bars: z.int().min(1).default(1) }),
  examples: [{ bars: 120 }],
  warmupBars: ({ bars }) => bars,
  memoryBars: ({ bars }) => bars,
  compute: (input, { bars }) => change(logClose(input), bars, input.positions),
});

/** One-bar log return of an earlier bar. */
export const laggedReturn = defineIndicator({
  name: 'laggedReturn',
  docs: 'log return of the bar `lag` bars ago',
  params: z.strictObject({ lag: z.int().min(1).default(1) }),
  examples: [{ lag: 5 }],
  warmupBars: ({ lag }) => lag + 1,
  memoryBars: ({ lag }) => lag + 1,
  compute: (input, { lag }) => lagged(logReturns(input), lag, input.positions),
});

/** Simple return over some bars. Formula: c / c[-bars] - 1. */
export const simpleReturn = defineIndicator({
  name: 'simpleReturn',
  docs: 'simple return over `bars` bars: c / c[-bars] - 1',
  params: z.strictObject({ bars: z.int().min(1).default(1) }),
  examples: [{ bars: 20 }],
  warmupBars: ({ bars }) => bars,
  memoryBars: ({ bars }) => bars,
  compute: ({ close, positions }, { bars }) => ratioMinusOne(close, close, positions, bars),
});

/** Momentum in units of price. Formula: c - c[-bars]. */
export const priceChange = defineIndicator({
  name: 'priceChange',
  docs: 'change of the close over `bars` bars: c - c[-bars]',
  params: z.strictObject({ bars: z.int().min(1).default(10) }),
  examples: [{ bars: 5 }],
  warmupBars: ({ bars }) => bars,
  memoryBars: ({ bars }) => bars,
  compute: ({ close, positions }, { bars }) => change(close, bars, positions),
});
