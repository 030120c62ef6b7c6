import { z } from 'zod';
import { use } from '../indicators/index.ts';
import { volatility } from '../indicators/volatility.ts';
import { LONG } from './buy-and-hold.ts';
import { combine } from './decided.ts';
import { periodSetting } from './settings.ts';
import { defineStrategy, type StrategySpec } from './strategy.ts';

const column = (period: number) => use(volatility, { period });

/** Scales the positions of a strategy so that its volatility stays about the same. */
export const volatilityTarget = (nested: z.ZodType<StrategySpec>) =>
  defineStrategy({
    name: 'volatility-target',
    title: 'Volatility targeting',
    docs:
      'The position of `of` times min(`cap`, `annualVolatility` / (SD of log returns x sqrt(bars a year))); where prices ' +
      'stand still, times `cap`.',
    params: z.strictObject({
      of: nested.default(LONG).describe('The strategy that is scaled.'),
      annualVolatility: z.number().positive().max(5).default(0.15).describe('0.15 is 15 % a year.'),
      period: periodSetting(20, 'Bars of the SD (ddof 1).'),
      cap: z.number().positive().max(1).default(1).describe('Largest factor.'),
    }),
    traits: { readsModel: false },
    nested: ({ of }) => [{ slot: 'of', spec: of, fallback: false }],
    warmupBars: ({ period }) => column(period).warmupBars,
    memoryBars: ({ period }) => column(period).memoryBars,
    decide: (context, { of, annualVolatility, period, cap }) => {
      const { bars, calendar, rows, indicators } = context;
      const year = Math.sqrt(calendar.barsPerYear(bars.timeframe));
      const sd = indicators.column(column(period));
      const whole = combine(
        'volatility-target',
        [],
        [{ slot: 'of', of: context.decide(of) }],
        rows,
        () => ({ slot: 0 }),
      );
      for (let t = 0; t < rows; t++) {
        // A quotient by 0 is infinite: the cap.
        whole.positions[t]! *= Math.min(cap, annualVolatility / (sd[t]! * year));
      }
      return whole;
    },
  });
