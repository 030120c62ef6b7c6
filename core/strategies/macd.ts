import { z } from 'zod';
import { use } from '../indicators/index.ts';
import { macd as indicator } from '../indicators/macd.ts';
import { alone } from './decided.ts';
import { signPositions } from './reversion.ts';
import { periodSetting, shortSetting } from './settings.ts';
import { defineStrategy } from './strategy.ts';

const histogram = (of: { fast: number; slow: number; signal: number }) =>
  use(indicator, { fast: of.fast, slow: of.slow, signal: of.signal, output: 'histogram' });

/** Follows momentum: the MACD line against its own average. */
export const macd = defineStrategy({
  name: 'macd',
  title: 'MACD and its signal line',
  docs: 'Long while the MACD line lies above its signal line, else flat or short.',
  params: z
    .strictObject({
      fast: z.int().min(1).max(1000).default(12).describe('Bars of the short average.'),
      slow: periodSetting(26, 'Bars of the long average.'),
      signal: z.int().min(1).max(1000).default(9).describe('Bars of the signal line.'),
      short: shortSetting,
    })
    .refine(({ fast, slow }) => fast < slow, 'fast must be shorter than slow'),
  traits: { readsModel: false },
  warmupBars: (params) => histogram(params).warmupBars,
  memoryBars: (params) => histogram(params).memoryBars,
  decide: ({ indicators }, params) =>
    alone('macd', signPositions(indicators.column(histogram(params)), params.short)),
});
