/** Task queues: which worker polls what stands in workers/. */
export const TASK_QUEUES = {
  /** Workflow tasks only. */
  orchestration: 'ratchet-orchestration',
  /** Collection, validation, features, evaluation, registry work. */
  general: 'ratchet-general',
  /** Fits and packaging: one training process per slot. */
  training: 'ratchet-training',
} as const;

/** Workflow ids say what they are about, so that a second start of the same thing is refused. */
export const workflowIds = {
  experiment: (ulid: string): string => `experiment/${ulid}`,
  /** The search of one model of an experiment. */
  sweep: (ulid: string, model: string): string => `sweep/${ulid}/${model}`,
  promote: (model: string): string => `promote/${model}`,
  /** One entity a model, for as long as the model lives. */
  lifecycle: (model: string): string => `lifecycle/${model}`,
  /** One trial at a time per model. */
  trial: (model: string): string => `trial/${model}`,
  /** One retrain at a time per model. */
  retrain: (model: string): string => `retrain/${model}`,
  /** One settlement and one drift report at a time per model, on schedule or asked for. */
  settle: (model: string): string => `settle/${model}`,
  monitor: (model: string): string => `monitor/${model}`,
  alert: (id: string): string => `alert/${id}`,
  backtest: (ulid: string): string => `backtest/${ulid}`,
  predictBatch: (ulid: string): string => `predict-batch/${ulid}`,
  evaluation: (ulid: string): string => `evaluation/${ulid}`,
  /** Of a model by its Schedule; one that a person asked for has an id of its own. */
  parity: (model: string): string => `parity/${model}`,
  /** As Temporal completes it by the slot. */
  paritySlot: (model: string, slot: Date): string =>
    `parity/${model}-${slot.toISOString().replace('.000Z', 'Z')}`,
  parityRun: (ulid: string): string => `parity-run/${ulid}`,
};

export interface ExperimentInput {
  readonly experimentId: string;
}

export interface BacktestInput {
  readonly backtestId: string;
}

export interface PredictBatchInput {
  readonly batchPredictionId: string;
  /** Part to begin with: above 0 in a run that goes on from an earlier one. */
  readonly next?: number;
}

/** A version judged again. */
export interface EvaluationRunInput {
  readonly evaluationId: string;
}

/** Served predictions computed again: of the slot that is meant, or of a report that was asked for. */
export interface ParityInput {
  readonly model: string;
  readonly asOf?: string;
  readonly reportId?: string;
}

export interface SweepInput {
  readonly experimentId: string;
  readonly unit: { readonly model: string; readonly instruments: readonly string[] };
  readonly prepared: ArtifactRef;
  readonly trials: number;
  readonly parallel: number;
  readonly rungs: number;
  /** Trial to begin with: above 0 in a run that goes on from an earlier one. */
  readonly next: number;
}

export type ExperimentOutcome =
  | {
      readonly status: 'skipped';
      readonly versions: readonly VersionRef[];
      readonly reason: string;
    }
  | {
      readonly status: 'completed';
      readonly versions: readonly VersionRef[];
      /** Models that failed while others did not; absent: none. */
      readonly failed?: readonly UnitFailure[];
    };

export interface UnitFailure {
  readonly model: string;
  readonly reason: string;
}

export interface VersionRef {
  readonly model: string;
  readonly version: number;
  readonly promoted: boolean;
  readonly verdict: string;
}

export interface PromoteInput {
  readonly promotionId: string;
  readonly model: string;
  readonly version: number;
  readonly actor: string;
  readonly reason: string;
  /** Generation the decision was made on; a changed generation loses (409). */
  readonly expectedGeneration: number;
  /** Default: promote. */
  readonly kind?: 'promote' | 'rollback';
}

export type PromoteOutcome =
  | { readonly status: 'promoted'; readonly generation: number }
  | { readonly status: 'withdrawn'; readonly reason: string }
  | { readonly status: 'conflict'; readonly reason: string };

/** Bytes that lie in the artifact store: what travels between activities instead of data. */
export interface ArtifactRef {
  /** Key in the artifact store, made by the server: `cas/<sha256>`. */
  readonly uri: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly rows?: number;
}
