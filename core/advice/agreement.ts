import type { AdvisorAnswer, CheckerAnswer } from './answer.ts';
import type { RuleAdvice } from './rule.ts';
import { boundedSize } from './size.ts';

/** Percentage points that two answers may lie apart and still agree. */
export const TOLERANCE_POINTS = { default: 15, max: 50 } as const;

/** Why a size is what it is; all but `agreed` mean that the rule decided. */
export const ADVICE_REASONS = [
  'agreed',
  'disagreed',
  'advisor-failed',
  'checker-failed',
  'not-configured',
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
