/** What the activities of judging a version again take and give. */

export interface EvaluationRef {
  readonly evaluationId: string;
}

export interface TopUpEvaluatedResult {
  /** What sources could not bring, in sentences; empty: nothing is missing. */
  readonly missing: readonly string[];
}

export interface EvaluateVersionInput extends EvaluationRef {
  /** Of `TopUpEvaluatedResult`: said beside the result. */
  readonly missing: readonly string[];
}
export interface EvaluateVersionResult {
  readonly verdict: string;
}

export interface FailEvaluationInput extends EvaluationRef {
  /** Absent of workflows that began under an earlier release: it failed. */
  readonly status?: 'failed' | 'cancelled';
  readonly reason: string;
}
