import { z } from 'zod';
import { combine } from './decided.ts';
import { fallbackSetting, modelOrThrow, nestedFallback, orFallback } from './fallback.ts';
import { defineStrategy, type StrategySpec } from './strategy.ts';

const DEFAULT_OF: StrategySpec = { kind: 'sma-cross', fast: 20, slow: 50, short: false };

/** Lets a strategy's positions pass only where the model's probability agrees. */
export const modelFilter = (nested: z.ZodType<StrategySpec>) =>
  defineStrategy({
    name: 'model-filter',
    title: 'A strategy with the model as filter',
    docs:
      'The position of `of` where it is long and probabilityUp >= `least`, or short and probabilityUp <= 1 - `least`; ' +
      'else flat. Where the model fails, the fallback.',
    params: z.strictObject({
      of: nested.default(DEFAULT_OF).describe('The strategy that is filtered.'),
      least: z
        .number()
        .min(0)
        .max(1)
        .default(0.5)
        .describe('Least probability of the direction that it bets on.'),
      whenAbstained: z
        .enum(['flat', 'pass'])
        .default('flat')
        .describe('pass: an abstention filters nothing.'),
      fallback: fallbackSetting(nested),
    }),
    traits: { readsModel: true },
    nested: ({ of, fallback }) => [
      { slot: 'of', spec: of, fallback: false },
      ...nestedFallback(fallback),
    ],
    warmupBars: () => 0,
    memoryBars: () => 0,
    decide: (context, { of, least, whenAbstained, fallback }) => {
      const { probabilityUp, abstained, failed } = modelOrThrow(context, 'model-filter');
      const inner = context.decide(of);
      const kind = 'model-filter';
      const blocked = { own: 0, position: 0 };
      const passed = { slot: 0 };
      const filtered = combine(
        kind,
        [{ name: kind, fallback: false }],
        [{ slot: 'of', of: inner }],
        context.rows,
        (t) => {
          const position = inner.positions[t]!;
          const up = probabilityUp[t]!;
          if (Number.isNaN(position)) return passed;
          // What is decided on a failure the fallback says, below.
          if (failed?.[t] === 1) return blocked;
          if (abstained?.[t] === 1) return whenAbstained === 'pass' ? passed : blocked;
          if (Number.isNaN(up)) return { own: 0, position: NaN };
          if (position === 0) return passed;
          return (position > 0 ? up >= least : up <= 1 - least) ? passed : blocked;
        },
      );
      return orFallback(context, kind, filtered, fallback);
    },
  });
