import type { AdviceReason } from './agreement.ts';
import type { AdviceFacts } from './facts.ts';
import type { RuleAdvice } from './rule.ts';

/** A size that a strategy of a backtest wants at the close of one bar. */
export interface SizeQuestion {
  /** Of the bar, ms UTC. */
  readonly openTime: number;
  /** undefined: the market is not known (it warms up, a price is missing), or the model said nothing: nobody can be asked. */
  readonly facts: AdviceFacts | undefined;
  /** What the rule says of them. */
  readonly rule: RuleAdvice;
}

/** Why a size of a backtest is what it is: beside the reasons of live advice those of the past. */
export const SIZE_REASONS = [
  'agreed',
  'given',
  'disagreed',
  'advisor-failed',
  'checker-failed',
  'abstain',
  'emergency',
  'not-given',
  'over-budget',
  'unknown',
  'rule',
] as const;
export type SizeReason = (typeof SIZE_REASONS)[number];

export interface SizedBy {
  /** 0.05..1. */
  readonly size: number;
  readonly reason: SizeReason;
}

/** Says sizes bar by bar, in order of time. Pure: the same questions get the same sizes. */
export interface Sizer {
  decide(question: SizeQuestion): SizedBy;
}

/** The rule alone. */
export const ruleSizer: Sizer = {
  decide: ({ facts, rule }) => ({ size: rule.size, reason: ruleReason({ facts, rule }, 'rule') }),
};

/** Why the rule speaks: what stops everybody, what cannot be asked about, else `otherwise`. */
export const ruleReason = (
  { facts, rule }: Pick<SizeQuestion, 'facts' | 'rule'>,
  otherwise: SizeReason,
): SizeReason => rule.stop ?? (facts === undefined ? 'unknown' : otherwise);

const LIVE: Readonly<Partial<Record<AdviceReason, SizeReason>>> = {
  agreed: 'agreed',
  disagreed: 'disagreed',
  'advisor-failed': 'advisor-failed',
  'checker-failed': 'checker-failed',
};

/** A reason of live advice as one of a backtest; what has no place there is the rule's. */
export const sizeReasonOf = (reason: AdviceReason): SizeReason => LIVE[reason] ?? 'rule';
