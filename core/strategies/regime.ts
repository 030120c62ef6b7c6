import { z } from 'zod';
import { use } from '../indicators/index.ts';
import { volatility } from '../indicators/volatility.ts';
import { FLAT, LONG } from './buy-and-hold.ts';
import { combine } from './decided.ts';
import { rollingQuantiles } from './rolling-quantiles.ts';
import { periodSetting } from './settings.ts';
import { defineStrategy, type StrategySpec } from './strategy.ts';

const column = (period: number) => use(volatility, { period });
const DEFAULT_NORMAL: StrategySpec = { kind: 'sma-cross', fast: 20, slow: 50, short: false };

/** Chooses a strategy by how volatile the market is, measured by its own past. */
export const regime = (nested: z.ZodType<StrategySpec>) =>
  defineStrategy({
    name: 'regime',
    title: 'A strategy by volatility regime',
    docs:
      '`calm` below the `low` quantile, `turbulent` above the `high` quantile, else `normal`: of the SD of log returns over ' +
      '`period` bars among its values at the `window` bars before (this one is not among them).',
    params: z
      .strictObject({
        calm: nested.default(LONG).describe('The strategy of calm markets.'),
        normal: nested.default(DEFAULT_NORMAL).describe('The strategy in between.'),
        turbulent: nested.default(FLAT).describe('The strategy of turbulent markets.'),
        period: periodSetting(20, 'Bars of the SD (ddof 1).'),
        window: z
          .int()
          .min(20)
          .max(10_000)
          .default(250)
          .describe('Bars of the past that say what is usual.'),
        low: z.number().min(0).max(1).default(0.33).describe('Quantile below which it is calm.'),
        high: z.number().min(0).max(1).default(0.67).describe('Quantile beyond which it is not.'),
      })
      .refine(({ low, high }) => low <= high, 'low must not lie above high'),
    traits: { readsModel: false },
    nested: ({ calm, normal, turbulent }) => [
      { slot: 'calm', spec: calm, fallback: false },
      { slot: 'normal', spec: normal, fallback: false },
      { slot: 'turbulent', spec: turbulent, fallback: false },
    ],
    warmupBars: ({ period, window }) => column(period).warmupBars + window,
    memoryBars: ({ period, window }) => column(period).memoryBars + window,
    decide: (context, { calm, normal, turbulent, period, window, low, high }) => {
      const sd = context.indicators.column(column(period));
      const [lowest, highest] = rollingQuantiles(sd, window, [low, high]);
      const inSlots = [
        { slot: 'calm', of: context.decide(calm) },
        { slot: 'normal', of: context.decide(normal) },
        { slot: 'turbulent', of: context.decide(turbulent) },
      ];
      const unknown = { own: 0, position: NaN };
      const own = [{ name: 'regime', fallback: false }];
      return combine('regime', own, inSlots, context.rows, (t) => {
        const now = sd[t]!;
        if (Number.isNaN(now) || Number.isNaN(lowest![t]!)) return unknown;
        return { slot: now < lowest![t]! ? 0 : now > highest![t]! ? 2 : 1 };
      });
    },
  });
