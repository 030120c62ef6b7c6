import { z } from 'zod';
import type { AdviceFacts } from '../advice/facts.ts';
import { marketFactsAt } from '../advice/market.ts';
import { ruleAdvice, ruleSettingsSchema } from '../advice/rule.ts';
import { ruleSizer, type SizeQuestion } from '../advice/sizer.ts';
import { use } from '../indicators/index.ts';
import { volatility } from '../indicators/volatility.ts';
import { EMERGENCY_WARMUP_BARS } from '../signals/index.ts';
import { combine } from './decided.ts';
import { modelOrThrow } from './fallback.ts';
import {
  ADVICE_SOURCES,
  defineStrategy,
  type StrategyContext,
  type StrategySpec,
} from './strategy.ts';

const DEFAULT_OF: StrategySpec = { kind: 'sma-cross', fast: 20, slow: 50, short: false };
const COLUMN = use(volatility, { period: 20 });
const QUESTIONS_MAX = 20_000;

const settings = (nested: z.ZodType<StrategySpec>) =>
  z.strictObject({
    of: nested.default(DEFAULT_OF).describe('The strategy that is sized.'),
    by: z
      .enum(ADVICE_SOURCES)
      .default('rule')
      .describe(
        'rule; history: what was advised at each bar in time; endpoints: the two language models of ratchet.config.yaml, asked now about each bar. Where they are silent the rule decides. In a backtest only.',
      ),
    signal: z
      .enum(['model', 'strategy'])
      .default('model')
      .describe('Whose score advice is asked on; strategy: the position of `of`, no model needed.'),
    at: z
      .enum(['bars', 'changes'])
      .default('bars')
      .describe(
        'changes: a size is asked for where the position of `of` changes, and stays until the next change. The rule decides at every bar.',
      ),
    questions: z
      .int()
      .min(1)
      .max(QUESTIONS_MAX)
      .default(1_000)
      .describe(
        'endpoints: most different questions, in order of time; of the others the rule decides.',
      ),
    round: z
      .int()
      .min(1)
      .max(1_000)
      .default(1)
      .describe('endpoints: another number asks anew what is remembered.'),
    account: z
      .enum(['none', 'fixed'])
      .default('none')
      .describe(
        'fixed: advice knows the account that holds the whole positions of `of`, as it stood at the close. In a backtest only.',
      ),
    targetVolatility: ruleSettingsSchema.shape.targetVolatility,
    drawdownLimit: ruleSettingsSchema.shape.drawdownLimit,
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
  });
type Settings = z.output<ReturnType<typeof settings>>;

/** Takes the share of a strategy's positions that advice gives, so that both can stand side by side. */
export const advisedSize = (nested: z.ZodType<StrategySpec>) =>
  defineStrategy({
    name: 'advised-size',
    title: 'A strategy with advised sizes',
    docs:
      'The position of `of` times an advised size (docs/advice.md), .05 to 1: by the score of the model (or of `of` itself) and ' +
      'the market, without an account unless `account` says so; the least size where the model said nothing, or says not to act. A backtest puts `of` ' +
      'at a fixed size, and at the mean advised one, beside it.',
    params: settings(nested),
    traits: { readsModel: true },
    asksModel: ({ signal }) => signal === 'model',
    advice: ({ of, by, questions, round, account }) => ({ of, by, questions, round, account }),
    nested: ({ of }) => [{ slot: 'of', spec: of, fallback: false }],
    warmupBars: () => COLUMN.warmupBars,
    memoryBars: () => Math.max(COLUMN.memoryBars, EMERGENCY_WARMUP_BARS),
    decide: (context, params) => {
      const inSlot = { slot: 'of', of: context.decide(params.of) };
      const whole = combine('advised-size', [], [inSlot], context.rows, () => ({ slot: 0 }));
      const questionAt = questionsOf(context, params, whole.positions.slice());
      const { sizer = ruleSizer } = context;
      const keeps = params.at === 'changes' && params.by !== 'rule';
      let [stands, size] = [NaN, NaN];
      for (let t = 0; t < context.rows; t++) {
        const position = whole.positions[t]!;
        // No size makes more of nothing, and nobody is asked about it.
        if (Number.isNaN(position)) continue;
        if (position !== 0 && !(keeps && position === stands)) {
          ({ size } = sizer.decide(questionAt(t)));
        }
        stands = position;
        if (position !== 0) whole.positions[t] = position * size;
      }
      return whole;
    },
  });

/** What is asked at each bar: facts known at its close, and what the rule says of them. */
function questionsOf(
  context: StrategyContext,
  { signal, by, strongScore, confidence, proven, ...limits }: Settings,
  positions: Float64Array,
): (t: number) => SizeQuestion {
  const { bars, calendar } = context;
  const model = signal === 'model' ? modelOrThrow(context, 'advised-size') : undefined;
  const year = Math.sqrt(calendar.barsPerYear(bars.timeframe));
  const sd = context.indicators.column(COLUMN);
  const market = by === 'rule' ? undefined : marketFactsAt(bars, calendar);
  const known = (x: number | undefined): number | null => (Number.isFinite(x) ? x! : null);
  return (t) => {
    const failed = model?.failed?.[t] === 1;
    const score = failed ? NaN : (model?.score[t] ?? positions[t]!);
    const state = market?.(t);
    const account = context.account?.(bars.openTime[t]!) ?? null;
    const said = {
      ...{ score, strongScore, confidence, beatsNaive: proven },
      abstain: model?.abstained?.[t] === 1,
    };
    const facts: AdviceFacts | undefined =
      state && Number.isFinite(score)
        ? {
            signal: {
              ...{ ...said, source: signal, horizonBars: null },
              probability: known(model?.probabilityUp[t]) ?? 0.5,
              expectedChange: known(model?.change[t]),
            },
            market: state,
            account,
          }
        : undefined;
    const rule = ruleAdvice(
      {
        signal: said,
        market: { volatility: sd[t]! * year, emergencyScore: state?.emergencyScore ?? null },
        account,
        side: positions[t]!,
      },
      limits,
    );
    return { openTime: bars.openTime[t]!, facts, rule };
  };
}
