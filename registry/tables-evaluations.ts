import type { CreatedAt, Nullable, NullableJson } from './columns.ts';

export type EvaluationStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';

/** A version judged again, on rows that came after all it knows. */
export interface VersionEvaluationTable {
  id: string;
  model: string;
  version: number;
  /** Compared with; null: it serves itself, or nothing does. */
  champion: Nullable<number>;
  /** Decision times judged, both included; null: all since what it learnt. */
  decided_from: Nullable<Date>;
  decided_to: Nullable<Date>;
  /** When it was asked for: bars are brought up to here. */
  as_of: Date;
  /** Bars known by then are read; null: the newest ones were not brought yet. */
  known_at: Nullable<Date>;
  /** It served the model when it was asked for; null: asked for by an earlier release. */
  serving: Nullable<boolean>;
  status: EvaluationStatus;
  message: Nullable<string>;
  verdict: Nullable<string>;
  metrics: NullableJson<Readonly<Record<string, number | null>>>;
  evaluation_uri: Nullable<string>;
  report_uri: Nullable<string>;
  actor: string;
  request_id: Nullable<string>;
  created_at: CreatedAt;
  finished_at: Nullable<Date>;
}
