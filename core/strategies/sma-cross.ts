import { z } from 'zod';
import { use } from '../indicators/index.ts';
import { smaSpread } from '../indicators/moving-average.ts';
import { alone } from './decided.ts';
import { signPositions } from './reversion.ts';
import { periodSetting, shortSetting } from './settings.ts';
import { defineStrategy } from './strategy.ts';

/** Follows the trend while the short average of closes lies above the long one. */
export const smaCross = defineStrategy({
  name: 'sma-cross',
  title: 'Crossover of moving averages',
  docs: 'Long while sma(fast) > sma(slow) of the close, else flat or short.',
  params: z
    .strictObject({
      fast: z.int().min(1).max(1000).default(20).describe('Bars of the short average.'),
      slow: periodSetting(50, 'Bars of the long average.'),
      short: shortSetting,
    })
    .refine(({ fast, slow }) => fast < slow, 'fast must be shorter than slow'),
  traits: { readsModel: false },
  warmupBars: ({ slow }) => slow - 1,
  memoryBars: ({ slow }) => slow - 1,
  decide: ({ indicators }, { fast, slow, short }) => {
    const spread = indicators.column(use(smaSpread, { short: fast, long: slow }));
    return alone('sma-cross', signPositions(spread, short));
  },
});
