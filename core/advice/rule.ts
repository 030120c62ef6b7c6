import { z } from 'zod';
import { EMERGENCY_STOP } from '../signals/index.ts';
import type { AdviceFacts } from './facts.ts';
import { boundedSize, SIZE_MIN } from './size.ts';

export const ruleSettingsSchema = z.strictObject({
  targetVolatility: z
    .number()
    .positive()
    .max(10)
    .default(0.15)
    .describe('A year; a market that moves more gets less.'),
  drawdownLimit: z
    .number()
    .gt(0)
    .max(1)
    .default(0.2)
    .describe('Drawdown of the account from which on the size is the least.'),
});
export type RuleSettings = z.infer<typeof ruleSettingsSchema>;

/** Factors of the rule, each 0..1. */
export interface RuleTerms {
  /** min(1, |score| / strongScore): 1 from a strong signal on. */
  readonly strength: number;
  /** The model's confidence; .5 where nothing was said of it. */
  readonly trust: number;
  /** 1 for what beats the naive baseline, else .5. */
  readonly proof: number;
  /** min(1, targetVolatility / volatility). */
  readonly calm: number;
  /** max(0, 1 - drawdown of the account / drawdownLimit). */
  readonly room: number;
}

export interface RuleAdvice {
  /** 0.05..1. */
  readonly size: number;
  readonly terms: RuleTerms;
  /** Why the least size is all there is, whatever the terms; null: nothing speaks against acting. */
  readonly stop: 'abstain' | 'emergency' | null;
}

const NOTHING_SAID = 0.5;
const UNPROVEN = 0.5;

/** What of the facts the rule reads, so that a backtest can give it a bar. */
export interface RuleFacts {
  readonly signal: Pick<
    AdviceFacts['signal'],
    'score' | 'strongScore' | 'confidence' | 'beatsNaive' | 'abstain'
  >;
  readonly market: Pick<AdviceFacts['market'], 'volatility' | 'emergencyScore'>;
  readonly account: Pick<NonNullable<AdviceFacts['account']>, 'drawdown'> | null;
  /** Side of the position that is sized, by its sign; absent: that of the score. */
  readonly side?: number;
}

/**
 * The size that a rule gives: strength x trust x proof x calm x room, within 0.05..1 in whole percent. Nothing was
 * fitted. A model that abstains gets the least size, and so does a long in an emergency: a short is no such position. A
 * score, or a volatility, that is NaN does too.
 */
export function ruleAdvice(facts: RuleFacts, settings: RuleSettings): RuleAdvice {
  const { signal, market, account } = facts;
  const terms: RuleTerms = {
    strength: Math.min(1, Math.abs(signal.score) / signal.strongScore),
    trust: signal.confidence ?? NOTHING_SAID,
    proof: signal.beatsNaive ? 1 : UNPROVEN,
    // A market that stands still: a quotient by 0 is infinite, so 1.
    calm: Math.min(1, settings.targetVolatility / market.volatility),
    room: Math.max(0, 1 - (account?.drawdown ?? 0) / settings.drawdownLimit),
  };
  const short = (facts.side ?? signal.score) < 0;
  const urgent = !short && (market.emergencyScore ?? 0) >= EMERGENCY_STOP;
  const stop = signal.abstain ? 'abstain' : urgent ? 'emergency' : null;
  const product = Object.values(terms).reduce((a, b) => a * b, 1);
  return { size: stop === null ? boundedSize(product) : SIZE_MIN, terms, stop };
}
