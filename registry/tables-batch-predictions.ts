import type { Generated } from 'kysely';
import type { CreatedAt, Json, Nullable } from './columns.ts';

export type BatchPredictionStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';

export interface BatchPredictionTable {
  id: string;
  model: string;
  version: Nullable<number>;
  format: 'ndjson' | 'arrow';
  status: BatchPredictionStatus;
  message: Nullable<string>;
  key_id: string;
  content_hash: string;
  request_id: Nullable<string>;
  /** `RangeFacts` of core/ranges as JSON. */
  question_uri: string;
  rows: number;
  parts: number;
  rows_done: Generated<number>;
  parts_done: Generated<number>;
  failed_rows: Generated<number>;
  /** registry/batch-manifest.ts */
  manifest_uri: Nullable<string>;
  sha256: Nullable<string>;
  bytes: Nullable<number>;
  created_at: CreatedAt;
  finished_at: Nullable<Date>;
}

export interface BatchPredictionPartTable {
  batch_prediction_id: string;
  n: number;
  uri: string;
  bytes: number;
  rows: number;
  failed_rows: number;
  first_cursor: string;
  last_cursor: string;
}

export interface BatchPredictionEventTable {
  seq: Generated<string>;
  batch_prediction_id: string;
  at: CreatedAt;
  kind: 'plan' | 'part' | 'done';
  payload: Json<Readonly<Record<string, unknown>>>;
  dedupe_key: string;
}
