/** What advice is asked on: numbers within bounds and words of ours, so that no text of anybody reaches a prompt. */
import { z } from 'zod';

const SHARE_MAX = 20;
const unit = z.number().min(0).max(1);
const shares = z.number().min(-SHARE_MAX).max(SHARE_MAX);

export const signalFactsSchema = z.strictObject({
  source: z
    .enum(['model', 'strategy', 'heuristic'])
    .describe(
      'strategy: the target of a declared one is the score; heuristic: no model could answer.',
    ),
  score: z.number().min(-100).max(100).describe('Above 0: a rise; see signals.'),
  strongScore: z.number().positive().max(100).describe('From this score on a signal is strong.'),
  probability: unit.describe('Of a rise that counts; of a strategy .5, for it knows none.'),
  confidence: unit.nullable().describe('Of the horizon; null: nothing was said of it.'),
  expectedChange: z.number().min(-1).max(100).nullable().describe('Simple return; null: unknown.'),
  horizonBars: z.int().min(1).max(10_000).nullable(),
  beatsNaive: z.boolean().describe('The model proved better than the naive baseline.'),
  abstain: z.boolean().describe('The model says not to act on its answer.'),
});
export type SignalFacts = z.infer<typeof signalFactsSchema>;

export const accountFactsSchema = z.strictObject({
  equity: z.number().positive().max(1e15).describe('Quote currency.'),
  cashShare: shares.describe('Cash over equity.'),
  exposure: z.number().min(0).max(SHARE_MAX).describe('Sum of absolute positions over equity.'),
  position: shares.default(0).describe('Held of this instrument, over equity; negative is short.'),
  drawdown: unit.describe('How far equity lies below its highest, as a share of that.'),
});
export type AccountFacts = z.infer<typeof accountFactsSchema>;

export const marketFactsSchema = z.strictObject({
  volatility: z.number().min(0).max(100).describe('SD of log returns of 20 bars, a year.'),
  drawdown: unit.describe('How far the close lies below the highest of 20 bars.'),
  change: z.number().min(-1).max(1e6).describe('Simple return over 20 bars.'),
  emergencyScore: unit.nullable().describe('From .8 on a long is left; null: unknown.'),
});
export type MarketFacts = z.infer<typeof marketFactsSchema>;

export const adviceFactsSchema = z.strictObject({
  signal: signalFactsSchema,
  market: marketFactsSchema,
  account: accountFactsSchema
    .nullable()
    .describe('null: there is no account provider; drawdown counts as 0.'),
});
/** Everything that a size is advised on. */
export type AdviceFacts = z.infer<typeof adviceFactsSchema>;
