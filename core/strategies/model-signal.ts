import { z } from 'zod';
import { cutsSchema, type Cuts, stepOf, type Recommendation } from '../signals/index.ts';
import { alone } from './decided.ts';
import { fallbackSetting, modelOrThrow, nestedFallback, orFallback } from './fallback.ts';
import { shortSetting } from './settings.ts';
import { defineStrategy, type StrategySpec } from './strategy.ts';

/** Of a score in -1..1, and of an expected simple return: about a day's costs, and three times that. */
const CUTS = {
  score: { buy: 0.15, strongBuy: 0.35 },
  change: { buy: 0.005, strongBuy: 0.015 },
} as const satisfies Record<string, Cuts>;

const STEPS: Readonly<Record<Recommendation, number>> = {
  strong_buy: 1,
  buy: 0.5,
  hold: 0,
  sell: -0.5,
  strong_sell: -1,
};

type Sizing = 'steps' | 'proportional';

/** -1..1 of a value; NaN stays. */
function positionOf(value: number, cuts: Cuts, sizing: Sizing, short: boolean): number {
  if (Number.isNaN(value)) return NaN;
  let position = STEPS[stepOf(value, cuts)];
  if (sizing === 'proportional' && position !== 0) {
    position = Math.min(1, Math.max(-1, value / cuts.strongBuy));
  }
  return short ? position : Math.max(0, position);
}

/** Does what the model says. */
export const modelSignal = (nested: z.ZodType<StrategySpec>) =>
  defineStrategy({
    name: 'model-signal',
    title: "The model's signal",
    docs:
      'Full at or beyond `cuts.strongBuy`, half (steps) or in proportion from `cuts.buy` on, flat between; sells likewise ' +
      'where `short` is set. Where the model abstains, flat, or its last position for `keepBars` bars; where it fails, ' +
      'the fallback.',
    params: z.strictObject({
      by: z
        .enum(['score', 'change'])
        .default('score')
        .describe(
          'p(buy) - p(sell), or the expected simple return (for models without probabilities).',
        ),
      cuts: cutsSchema
        .optional()
        .describe(
          'Least values of buy and strong buy; default: .15 and .35 of a score, .005 and .015 of a change.',
        ),
      sizing: z
        .enum(['steps', 'proportional'])
        .default('steps')
        .describe('steps: half from buy on; proportional: value / strongBuy from buy on.'),
      whenAbstained: z.enum(['flat', 'keep']).default('flat').describe('What an abstention means.'),
      keepBars: z.int().min(1).max(1000).default(24).describe('How long a position is kept.'),
      short: shortSetting,
      fallback: fallbackSetting(nested),
    }),
    traits: { readsModel: true },
    nested: ({ fallback }) => nestedFallback(fallback),
    warmupBars: () => 0,
    memoryBars: ({ whenAbstained, keepBars }) => (whenAbstained === 'keep' ? keepBars : 0),
    answerBars: ({ whenAbstained, keepBars }) => (whenAbstained === 'keep' ? keepBars : 0),
    decide: (context, params) => {
      const { by, sizing, whenAbstained, keepBars, short, fallback } = params;
      const model = modelOrThrow(context, 'model-signal');
      const cuts = params.cuts ?? CUTS[by];
      const positions = new Float64Array(context.rows);
      let kept = 0;
      let age = keepBars;
      for (let t = 0; t < positions.length; t++) {
        age++;
        if (model.failed?.[t] === 1) continue;
        if (model.abstained?.[t] === 1) {
          positions[t] = whenAbstained === 'keep' && age <= keepBars ? kept : 0;
          continue;
        }
        const position = positionOf(model[by][t]!, cuts, sizing, short);
        positions[t] = position;
        if (Number.isNaN(position)) continue;
        kept = position;
        age = 0;
      }
      return orFallback(context, 'model-signal', alone('model-signal', positions), fallback);
    },
  });
