import type { ColumnType, Generated } from 'kysely';
import type { CreatedAt, Json, Nullable } from './columns.ts';

export type ExperimentStatus =
  'queued' | 'running' | 'completed' | 'skipped' | 'failed' | 'cancelled';

export interface ExperimentTable {
  /** ULID. */
  id: string;
  name: string;
  model: string;
  spec: Json;
  spec_hash: string;
  status: ExperimentStatus;
  message: Nullable<string>;
  workflow_id: string;
  actor: string;
  request_id: Nullable<string>;
  created_at: CreatedAt;
  started_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  finished_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
}

/** Append-only progress; `seq` grows within the whole table, readers resume after the last seen. */
export interface ExperimentEventTable {
  seq: Generated<string>;
  experiment_id: string;
  at: CreatedAt;
  /** stage | epoch | finding | verdict | note | done */
  kind: string;
  stage: Nullable<string>;
  model: Nullable<string>;
  seed: Nullable<number>;
  payload: Json<Record<string, unknown>>;
  /** Repeats of an activity write the same key once. */
  dedupe_key: Nullable<string>;
}

/** The attempt that may write checkpoints of a fit, by the activity that runs it. */
export interface FitFenceTable {
  fit_key: string;
  holder: string;
  attempt: number;
  raised_at: CreatedAt;
}

/** A published checkpoint: where a fit of this key can go on. */
export interface FitCheckpointTable {
  id: Generated<string>;
  fit_key: string;
  holder: string;
  attempt: number;
  /** Epoch to go on in, batches done of it. */
  epoch: number;
  batch: number;
  artifact_uri: string;
  artifact_sha256: string;
  artifact_bytes: number;
  created_at: CreatedAt;
}
