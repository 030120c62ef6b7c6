import type { z } from 'zod';
import type { Comparison } from '../metrics/comparison.ts';

/** A loss comparison of the candidate against something named, as the evaluation found it. */
export interface ComparisonEvidence {
  /** `champion`, `zero return`, `training mean`, or a baseline's name. */
  readonly against: string;
  /** Version of the champion; absent for references and baselines. */
  readonly version?: number;
  readonly comparison: Comparison;
  /** mean(loss of the other - loss of the *deployed* seed): positive is better. NaN: unknown. */
  readonly servedMeanDifference: number;
}

/** Everything a promotion decision may look at; it becomes the evidence sheet that is kept for good. */
export interface Evidence {
  readonly model: string;
  readonly version: number;
  /** null: nothing serves this model yet. */
  readonly championVersion: number | null;
  /** Against the champion; null without one, or where the two have no rows in common. */
  readonly champion: ComparisonEvidence | null;
  readonly references: readonly ComparisonEvidence[];
  /** Weighted loss of the deployed seed on the test rows. */
  readonly servedLoss: number;
  readonly beatsNaive: boolean;
  readonly beatsTrainingMean: boolean;
  readonly verdict: string;
  readonly warnings: readonly string[];
  /** This is the k-th challenger (k >= 1) tested against this champion. */
  readonly tries: { readonly k: number; readonly rowsDigest: string };
  readonly data: Readonly<Record<string, string>>;
  readonly codeVersion: string;
}

export interface Decision {
  readonly verdict: 'accept' | 'reject' | 'continue';
  /** Plain words, at least one. */
  readonly reasons: readonly string[];
  /** What was decided on, with the threshold that applied. */
  readonly evidence: Evidence & { readonly policy: string; readonly alphaK: number };
}

/** A promotion policy: a pure, total rule from evidence to a verdict. */
export interface Policy<P extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly docs: string;
  readonly params: P;
  decide(evidence: Evidence, params: z.output<P>): Decision;
}

export function definePolicy<P extends z.ZodType>(policy: Policy<P>): Policy<P> {
  return Object.freeze(policy);
}
