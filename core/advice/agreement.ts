import type { AdvisorAnswer, CheckerAnswer } from './answer.ts';
import type { RuleAdvice } from './rule.ts';
import { boundedSize, SIZE_MIN } from './size.ts';

/** Percentage points that two answers may lie apart and still agree. */
export const TOLERANCE_POINTS = { default: 15, max: 50 } as const;

/** Why a size is what it is; all but `agreed` mean that the rule decided. */
export const ADVICE_REASONS = [
  'agreed',
  'disagreed',
  'advisor-failed',
  'checker-failed',
  'not-configured',
  'account-failed',
  'abstain',
  'emergency',
  'busy',
] as const;
export type AdviceReason = (typeof ADVICE_REASONS)[number];

export interface AdviceDecision {
  /** 0.05..1. */
  readonly size: number;
  readonly decidedBy: 'models' | 'rule';
  readonly reason: AdviceReason;
}

export const byRule = (
  rule: RuleAdvice,
  reason: Exclude<AdviceReason, 'agreed'>,
): AdviceDecision => ({ size: rule.size, decidedBy: 'rule', reason });

/** Where the account provider gave no answer the least size is all that can be answered for. */
export const withoutAccount: AdviceDecision = {
  size: SIZE_MIN,
  decidedBy: 'rule',
  reason: 'account-failed',
};

const WORDS: Readonly<Record<AdviceReason, string>> = {
  agreed: 'Both models agreed; the smaller of their sizes counts.',
  disagreed: 'The models did not agree, so the rule decided.',
  'advisor-failed': 'The first model gave no valid answer, so the rule decided.',
  'checker-failed': 'The second model gave no valid answer, so the rule decided.',
  'not-configured': 'No models are configured, so the rule decided.',
  'account-failed': 'The account provider gave no valid answer: the least size.',
  abstain: 'The model says not to act on its signal: the least size, and nobody was asked.',
  emergency: 'The emergency score says to leave a long: the least size, and nobody was asked.',
  busy: 'Too many questions were under way, so the rule decided.',
};

/** Who decided and why, as a sentence. */
export const adviceWords = ({ reason }: Pick<AdviceDecision, 'reason'>): string => WORDS[reason];

/**
 * Two answers agree where the second one says so and names a size within `tolerancePoints` of the first: then the smaller
 * of both counts. A word that its own number contradicts is no agreement. undefined: an endpoint gave no valid answer.
 */
export function decideSize(
  rule: RuleAdvice,
  advisor: AdvisorAnswer | undefined,
  checker: CheckerAnswer | undefined,
  tolerancePoints: number,
): AdviceDecision {
  if (advisor === undefined) return byRule(rule, 'advisor-failed');
  if (checker === undefined) return byRule(rule, 'checker-failed');
  const apart = Math.abs(advisor.sizePercent - checker.sizePercent);
  if (checker.verdict !== 'agree' || apart > tolerancePoints) return byRule(rule, 'disagreed');
  const smaller = Math.min(advisor.sizePercent, checker.sizePercent);
  return { size: boundedSize(smaller / 100), decidedBy: 'models', reason: 'agreed' };
}
