import { z } from 'zod';
import { bollinger as indicator } from '../indicators/bands.ts';
import { use } from '../indicators/index.ts';
import { alone } from './decided.ts';
import { reversionPositions } from './reversion.ts';
import { holdBarsSetting, periodSetting, shortSetting } from './settings.ts';
import { defineStrategy } from './strategy.ts';

const column = (period: number) => use(indicator, { period });

/** Where `sds` SDs lie in bands of 2 SD, whose position is 0 at the lower and 1 at the upper one. */
const inBands = (sds: number): number => 0.5 + sds / 4;

/** Buys below the band and bets on a return to its middle. */
export const bollinger = defineStrategy({
  name: 'bollinger',
  title: 'Reversion by Bollinger bands',
  docs:
    'Long from a close at or below sma - `sds` SD (ddof 0) until one at or above the average, `holdBars` have passed, ' +
    'or it says sell; the other way round from sma + `sds` SD.',
  params: z.strictObject({
    period: periodSetting(20, 'Bars of average and SD.'),
    sds: z.number().positive().max(10).default(2).describe('Half width of the band in SDs.'),
    holdBars: holdBarsSetting(30),
    short: shortSetting,
  }),
  traits: { readsModel: false },
  warmupBars: ({ period }) => column(period).warmupBars,
  memoryBars: ({ period, holdBars }) => column(period).memoryBars + holdBars,
  decide: ({ indicators }, { period, sds, holdBars, short }) => {
    const values = indicators.column(column(period));
    const rule = { low: inBands(-sds), high: inBands(sds), exit: inBands(0), holdBars, short };
    return alone('bollinger', reversionPositions(values, rule));
  },
});
