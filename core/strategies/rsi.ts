import { z } from 'zod';
import { use } from '../indicators/index.ts';
import { rsi as indicator } from '../indicators/rsi.ts';
import { alone } from './decided.ts';
import { reversionPositions } from './reversion.ts';
import { holdBarsSetting, periodSetting, shortSetting } from './settings.ts';
import { defineStrategy } from './strategy.ts';

const column = (period: number) => use(indicator, { period, unit: 'percent' });

/** Buys what fell and bets on its return. */
export const rsi = defineStrategy({
  name: 'rsi',
  title: 'Reversion by RSI',
  docs:
    'Long from a bar with RSI <= `buyBelow` until RSI >= `exitAt` or `holdBars` have passed; ' +
    'with `short` the other way round from RSI >= `sellAbove`.',
  params: z
    .strictObject({
      period: periodSetting(14, 'Bars of the RSI (Wilder).'),
      buyBelow: z.number().min(0).max(100).default(30).describe('Oversold at or below.'),
      sellAbove: z
        .number()
        .min(0)
        .max(100)
        .default(70)
        .describe('Overbought at or above; counts with `short` only.'),
      exitAt: z.number().min(0).max(100).default(50).describe('Back in the middle.'),
      holdBars: holdBarsSetting(30),
      short: shortSetting,
    })
    .superRefine(({ buyBelow, exitAt, sellAbove, short }, { addIssue }) => {
      if (buyBelow >= exitAt) {
        addIssue(`buyBelow must lie below exitAt; they are ${buyBelow} and ${exitAt}`);
      }
      if (short && exitAt >= sellAbove) {
        addIssue(
          `exitAt must lie below sellAbove to sell short; they are ${exitAt} and ${sellAbove}`,
        );
      }
    }),
  traits: { readsModel: false },
  warmupBars: ({ period }) => column(period).warmupBars,
  memoryBars: ({ period, holdBars }) => column(period).memoryBars + holdBars,
  decide: ({ indicators }, { period, buyBelow, sellAbove, exitAt, holdBars, short }) => {
    const values = indicators.column(column(period));
    // A position that is long has ended at the exit: without short ones, there is nothing to sell above it.
    const high = short ? sellAbove : Infinity;
    const rule = { low: buyBelow, high, exit: exitAt, holdBars, short };
    return alone('rsi', reversionPositions(values, rule));
  },
});
