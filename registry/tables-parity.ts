import type { CreatedAt, Json, Nullable, NullableJson } from './columns.ts';

export type ParityStatus = 'queued' | 'running' | 'completed' | 'failed';

/** Predictions that were served, computed again and compared. */
export interface ParityReportTable {
  id: string;
  model: string;
  /** Of a Schedule: the slot that was meant; null: a person asked. */
  slot: Nullable<Date>;
  /** Served at: the first included, the last not. */
  served_from: Date;
  served_to: Date;
  /** Places in the order of recording: after the first, up to the second; null: all that was served in that time. */
  recorded_after: Nullable<string>;
  recorded_to: Nullable<string>;
  late_ms: number;
  samples: number;
  status: ParityStatus;
  message: Nullable<string>;
  /** The last prediction that was looked at; null: none. */
  cursor: NullableJson;
  counts: Json;
  code_version: Nullable<string>;
  actor: string;
  request_id: Nullable<string>;
  created_at: CreatedAt;
  finished_at: Nullable<Date>;
}

/** Where a replay says something else than was served. */
export interface ParityDifferenceTable {
  report_id: string;
  /** Order in which they were found, from 0. */
  n: number;
  prediction_id: string;
  served_at: Date;
  version: number;
  instrument: string;
  as_of: Date;
  cause: string;
  words: string;
  fields: Json;
}
