import { z } from 'zod';
import { change, lagged } from './arithmetic.ts';
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
  compute: (input, { bars }) => change(logClose(input), bars),
});

/** One-bar log return of an earlier bar. */
export const laggedReturn = defineIndicator({
  name: 'laggedReturn',
  docs: 'log return of the bar `lag` bars ago',
  params: z.strictObject({ lag: z.int().min(1).default(1) }),
  examples: [{ lag: 5 }],
  warmupBars: ({ lag }) => lag + 1,
  memoryBars: ({ lag }) => lag + 1,
  compute: (input, { lag }) => lagged(logReturns(input), lag),
});
