import type { ArtifactRef } from '../workflows/messages.ts';

/** What the activities of a batch of predictions take and give. */

export interface BatchPredictionRef {
  readonly batchPredictionId: string;
}

export interface PlannedParts {
  readonly parts: number;
}

export interface AnswerPartInput extends BatchPredictionRef {
  /** From 0. */
  readonly part: number;
}
export interface AnsweredPart {
  readonly part: number;
  /** The rows as they will be sent. */
  readonly answers: ArtifactRef;
  /** It was there already: nothing was computed. */
  readonly cached: boolean;
}

export interface BatchPredictionResult {
  readonly rows: number;
  /** Of them, those with a problem. */
  readonly failed: number;
  /** registry/batch-manifest.ts */
  readonly manifest: ArtifactRef;
}

export interface FailBatchPredictionInput extends BatchPredictionRef {
  readonly status: 'failed' | 'cancelled';
  readonly reason: string;
}
