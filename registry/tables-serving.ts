import type { ColumnType } from 'kysely';
import type { PredictionRole } from './tables-lifecycle.ts';
import type { CreatedAt, Json, Nullable, NullableJson, Timestamp } from './columns.ts';

/** History of champions: who served the model at any moment. */
export interface ChampionTable {
  model: string;
  version: number;
  generation: number;
  valid_from: Timestamp;
  valid_to: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  promotion_id: string;
  actor: string;
  reason: string;
}

export interface PromotionTable {
  id: string;
  model: string;
  version: number;
  expected_generation: number;
  status: 'announced' | 'promoted' | 'withdrawn' | 'conflict';
  actor: string;
  reason: string;
  evidence: NullableJson;
  outcome: Nullable<string>;
  /** A rollback is a promotion of an earlier version. */
  kind: ColumnType<
    'promote' | 'rollback',
    'promote' | 'rollback' | undefined,
    'promote' | 'rollback'
  >;
  created_at: CreatedAt;
  finished_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
}

export interface PromotionAnswerTable {
  promotion_id: string;
  replica_id: string;
  ok: boolean;
  error: Nullable<string>;
  at: CreatedAt;
}

/** A lease: the API process `id` serves until `expires_at` unless it renews. */
export interface ReplicaTable {
  id: string;
  address: string;
  /** model -> { version, generation, digest } as loaded. */
  loaded: Json<Record<string, { version: number; generation: number; digest: string }>>;
  started_at: Timestamp;
  expires_at: Timestamp;
}

/** Partitioned by month on `at`. */
export interface PredictionTable {
  id: string;
  at: Timestamp;
  batch_id: string;
  model: string;
  version: number;
  generation: number;
  package_digest: string;
  instrument: string;
  as_of: Timestamp;
  request_id: string;
  key_id: string;
  replica_id: string;
  answer: Json;
  duration_ms: number;
  role: ColumnType<PredictionRole, PredictionRole | undefined, PredictionRole>;
  /** What it was computed from: stored bars, the caller's bars, the caller's window. */
  input: ColumnType<
    'instrument' | 'bars' | 'window',
    'instrument' | 'bars' | 'window' | undefined,
    'instrument' | 'bars' | 'window'
  >;
  /** The answered prediction that this one was computed beside. */
  pair_id: Nullable<string>;
  trial_id: Nullable<string>;
  /** Why the version could not answer. */
  error: Nullable<string>;
  /** Market time from which its next horizon may be settled; `infinity`: nothing is left to settle. */
  settle_after: ColumnType<Date | number, Date | string | undefined, Date | string>;
  /** Horizons whose bar was waited for in vain. */
  unknown_horizons: ColumnType<number, number | undefined, number>;
  /** Bars known and complete by then were looked at; null: of an earlier release, or from what the caller brought. */
  asked_as_of: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  /** The code that answered; null: of an earlier release. */
  code_version: Nullable<string>;
  /** Place in the order of recording; null: of an earlier release. */
  intake: ColumnType<string | null, never, never>;
}

export interface GateTryTable {
  model: string;
  champion_version: number;
  rows_digest: string;
  challenger_version: number;
  k: number;
  created_at: CreatedAt;
}

export interface ApiKeyTable {
  id: string;
  name: string;
  /** sha256 of the secret, hex. */
  hash: string;
  scopes: string[];
  /** Models it is for; empty: all. */
  models: string[];
  created_at: CreatedAt;
  expires_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  revoked_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
}

/** An answer that was asked for with `Prefer: respond-async`. */
export interface ResultTable {
  id: string;
  key_id: string;
  model: string;
  replica_id: string;
  /** Of the process that computes it. */
  incarnation: string;
  status: 'pending' | 'done' | 'failed';
  /** null: pending. */
  content_type: string | null;
  body: string | null;
  created_at: Timestamp;
  expires_at: Timestamp;
}

export interface IdempotencyKeyTable {
  key: string;
  /** Route it was used on. */
  route: string;
  body_sha256: string;
  response: NullableJson;
  created_at: CreatedAt;
}
