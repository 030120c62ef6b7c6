import { z } from 'zod';
import { ruleAdvice, ruleSettingsSchema } from '../advice/rule.ts';
import { use } from '../indicators/index.ts';
import { volatility } from '../indicators/volatility.ts';
import { combine } from './decided.ts';
import { modelOrThrow } from './fallback.ts';
import { defineStrategy, type StrategySpec } from './strategy.ts';

const DEFAULT_OF: StrategySpec = { kind: 'sma-cross', fast: 20, slow: 50, short: false };
const COLUMN = use(volatility, { period: 20 });

/** Takes the share of a strategy's positions that the rule of position advice gives, so that both can stand side by side. */
export const advisedSize = (nested: z.ZodType<StrategySpec>) =>
  defineStrategy({
    name: 'advised-size',
    title: 'A strategy with advised sizes',
    docs:
      'The position of `of` times the size that the rule of position advice gives (docs/advice.md), .05 to 1: by the score of ' +
      'the model and the volatility of the market, without an account; the least size where the model said nothing, or says ' +
      'not to act. Beside `of` itself it shows what advice is worth.',
    params: z.strictObject({
      of: nested.default(DEFAULT_OF).describe('The strategy that is sized.'),
      targetVolatility: ruleSettingsSchema.shape.targetVolatility,
      strongScore: z
        .number()
        .positive()
        .max(100)
        .default(0.35)
        .describe('From this score on a signal is strong; see docs/advice.md.'),
      confidence: z
        .number()
        .min(0)
        .max(1)
        .default(0.5)
        .describe('Trust in the model; the past has no confidence of each answer.'),
      proven: z.boolean().default(false).describe('The model beats the naive baseline.'),
    }),
    traits: { readsModel: true },
    nested: ({ of }) => [{ slot: 'of', spec: of, fallback: false }],
    warmupBars: () => COLUMN.warmupBars,
    memoryBars: () => COLUMN.memoryBars,
    decide: (context, { of, targetVolatility, strongScore, confidence, proven }) => {
      const { bars, calendar, rows, indicators } = context;
      const { score, abstained, failed } = modelOrThrow(context, 'advised-size');
      const year = Math.sqrt(calendar.barsPerYear(bars.timeframe));
      const sd = indicators.column(COLUMN);
      const inSlot = { slot: 'of', of: context.decide(of) };
      const whole = combine('advised-size', [], [inSlot], rows, () => ({ slot: 0 }));
      for (let t = 0; t < rows; t++) {
        const said = failed?.[t] === 1 ? NaN : score[t]!;
        const { size } = ruleAdvice(
          {
            signal: {
              ...{ score: said, strongScore, confidence, beatsNaive: proven },
              abstain: abstained?.[t] === 1,
            },
            market: { volatility: sd[t]! * year, emergencyScore: null },
            account: null,
          },
          // There is no account whose drawdown could reach the limit.
          { targetVolatility, drawdownLimit: 1 },
        );
        whole.positions[t]! *= size;
      }
      return whole;
    },
  });
