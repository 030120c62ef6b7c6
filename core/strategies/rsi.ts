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
    'Long from a bar with RSI <= `buyBelow` until RSI >= `exitAt`, `holdBars` have passed, or it says sell; ' +
    'the other way round from RSI >= `sellAbove`.',
  params: z
    .strictObject({
      period: periodSetting(14, 'Bars of the RSI (Wilder).'),
      buyBelow: z.number().min(0).max(100).default(30).describe('Oversold at or below.'),
      sellAbove: z.number().min(0).max(100).default(70).describe('Overbought at or above.'),
      exitAt: z.number().min(0).max(100).default(50).describe('Back in the middle.'),
      holdBars: holdBarsSetting(30),
      short: shortSetting,
    })
    .refine(
      ({ buyBelow, exitAt, sellAbove }) => buyBelow < exitAt && exitAt < sellAbove,
      'buyBelow, exitAt and sellAbove must increase',
    ),
  traits: { readsModel: false },
  warmupBars: ({ period }) => column(period).warmupBars,
  memoryBars: ({ period, holdBars }) => column(period).memoryBars + holdBars,
  decide: ({ indicators }, { period, buyBelow, sellAbove, exitAt, holdBars, short }) => {
    const values = indicators.column(column(period));
    const rule = { low: buyBelow, high: sellAbove, exit: exitAt, holdBars, short };
    return alone('rsi', reversionPositions(values, rule));
  },
});
