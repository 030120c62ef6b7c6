import { z } from 'zod';
import { byFallback } from './decided.ts';
import { type Decided, defineStrategy, type StrategySpec } from './strategy.ts';

const MEMBERS_MAX = 8;
const EXAMPLE_MEMBER: StrategySpec = { kind: 'sma-cross', fast: 20, slow: 50, short: false };
const EXAMPLE_MODEL: StrategySpec = { kind: 'model-signal' };

/** Several strategies as one. */
export const hybrid = (nested: z.ZodType<StrategySpec>) =>
  defineStrategy({
    name: 'hybrid',
    title: 'Several strategies by weights or votes',
    docs:
      'weights: the mean position of the members by their weights. vote: long (short) where members with more than ' +
      '`quorum` of all weight are long (short), else flat. No opinion before every member has one.',
    params: z.strictObject({
      members: z
        .array(
          z.strictObject({
            strategy: nested.describe('What a member does.'),
            weight: z.number().positive().max(1000).default(1).describe('Only ratios matter.'),
          }),
        )
        .min(1)
        .max(MEMBERS_MAX)
        .describe('Strategies, the model among them or not.'),
      by: z.enum(['weights', 'vote']).default('weights').describe('How they become one.'),
      quorum: z
        .number()
        .min(0)
        .lt(1)
        .default(0.5)
        .describe('vote: share of the weight that must be exceeded.'),
    }),
    example: { members: [{ strategy: EXAMPLE_MEMBER }, { strategy: EXAMPLE_MODEL }] },
    traits: { readsModel: false },
    nested: ({ members }) =>
      members.map(({ strategy }, i) => ({
        slot: `members[${i}]`,
        spec: strategy,
        fallback: false,
      })),
    warmupBars: () => 0,
    memoryBars: () => 0,
    decide: (context, { members, by, quorum }) => {
      const decided = members.map(({ strategy }) => context.decide(strategy));
      const weights = members.map(({ weight }) => weight);
      const one = by === 'weights' ? weightedMean : voteOf(quorum);
      const positions = new Float64Array(context.rows);
      const decidedBy = new Uint8Array(context.rows);
      for (let t = 0; t < positions.length; t++) {
        positions[t] = one(decided, weights, t);
        decidedBy[t] = decided.some((of) => byFallback(of, t)) ? 1 : 0;
      }
      const parts = [false, true].map((fallback) => ({ name: 'hybrid', fallback }));
      return { positions, parts, decidedBy };
    },
  });

type OneOf = (decided: readonly Decided[], weights: readonly number[], t: number) => number;

const weightedMean: OneOf = (decided, weights, t) => {
  let sum = 0;
  let all = 0;
  for (let i = 0; i < decided.length; i++) {
    sum += weights[i]! * decided[i]!.positions[t]!;
    all += weights[i]!;
  }
  // Rounding must not make more of equal members than each is.
  return Math.min(1, Math.max(-1, sum / all));
};

const voteOf =
  (quorum: number): OneOf =>
  (decided, weights, t) => {
    let [long, short, all] = [0, 0, 0];
    for (let i = 0; i < decided.length; i++) {
      const position = decided[i]!.positions[t]!;
      if (Number.isNaN(position)) return NaN;
      all += weights[i]!;
      if (position > 0) long += weights[i]!;
      if (position < 0) short += weights[i]!;
    }
    // With a quorum below one half both sides may reach it: then the larger one.
    if (long > short) return long > quorum * all ? 1 : 0;
    return short > long && short > quorum * all ? -1 : 0;
  };
