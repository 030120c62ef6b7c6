import type { z } from 'zod';
import type { EvaluatedComparison, Evaluation } from '../evaluation/evaluation.ts';
import type { TrialDecision, TrialEvidence } from './trial.ts';

/** Everything a promotion decision may look at; it becomes the evidence sheet that is kept for good. */
export interface Evidence {
  readonly model: string;
  readonly version: number;
  /** null: nothing serves this model yet. */
  readonly championVersion: number | null;
  /** Against the champion, references and baselines, as the evaluation found them. */
  readonly comparisons: readonly EvaluatedComparison[];
  /** Weighted loss of the deployed seed on the test rows; null when it is not finite. */
  readonly servedLoss: number | null;
  /** Figures by name; null where a figure is not finite. */
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly beatsNaive: boolean;
  readonly beatsTrainingMean: boolean;
  readonly verdict: string;
  readonly warnings: readonly string[];
  readonly independent: number;
  readonly power: Evaluation['power'];
  /**
   * This is the k-th challenger (k >= 1) tested against this champion. A search that chose its hyperparameters on other
   * rows is part of this one try, however many trials it had.
   */
  readonly tries: {
    readonly k: number;
    readonly rowsDigest: string;
    readonly searchTrials?: number;
  };
  /** What was read: dataset, feature, evaluation and package digests by name. */
  readonly data: Readonly<Record<string, string>>;
  readonly codeVersion: string;
  /** By which template, and through which moment (ISO) this version and the champion were trained. */
  readonly lineage?: Training & { readonly champion: Training | null };
  /** The version was fitted again after the evaluation, which then tells of its twin. */
  readonly refit?: boolean;
  /** The trial that its spec asks for before a promotion. */
  readonly trial?: 'none' | 'shadow' | 'canary' | 'manual';
}

export interface Training {
  /** `templateHash` of its spec. */
  readonly template: string;
  /** null: not on record. */
  readonly trainedThrough: string | null;
}

export interface Decision {
  readonly verdict: 'accept' | 'reject' | 'continue';
  /** Plain words, at least one; clauses without a final full stop. */
  readonly reasons: readonly string[];
  /** What was decided on, with the threshold that applied. */
  readonly evidence: Evidence & {
    readonly policy: string;
    readonly alphaK: number;
    /** What a promotion claims, where that is less than being better. */
    readonly claim?: string;
    /** Of a policy that tests for not being worse by a margin; null where nothing was tested. */
    readonly nonInferiority?: {
      readonly margin: number;
      readonly statistic: number;
      readonly p: number;
    } | null;
  };
}

/** A promotion policy: a pure, total rule from evidence to a verdict. */
export interface Policy<P extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly docs: string;
  readonly params: P;
  /** Kinds of trial that it can decide in; absent: any, and none. */
  readonly trials?: readonly ('none' | 'shadow' | 'canary' | 'manual')[];
  /** The offline gate: accept, reject, or `continue` where only a trial can tell. */
  decide(evidence: Evidence, params: z.output<P>): Decision;
  /** A look at a running trial of kind shadow or canary. */
  judge(evidence: TrialEvidence, params: z.output<P>): TrialDecision;
}

export function definePolicy<P extends z.ZodType>(policy: Policy<P>): Policy<P> {
  return Object.freeze(policy);
}
