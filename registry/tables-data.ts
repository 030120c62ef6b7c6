import type { Generated } from 'kysely';
import type { CreatedAt, Json, Nullable, Timestamp } from './columns.ts';
import type { DatasetDelivery } from './dataset-versions.ts';

/** Who delivered what: one row per attempt of a source to deliver an instrument. */
export interface CollectionTable {
  id: Generated<string>;
  dataset: string;
  source: string;
  instrument: string;
  timeframe: string;
  role: string;
  status: 'delivered' | 'empty' | 'failed' | 'timeout' | 'unavailable';
  rows: number;
  new_rows: number;
  notes: Json<readonly string[]>;
  error: Nullable<string>;
  started_at: Timestamp;
  finished_at: Timestamp;
}

/** Append-only raw bars. A changed value is a new `revision`. */
export interface BarTable {
  instrument: string;
  timeframe: string;
  open_time: Timestamp;
  source: string;
  revision: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  value: Nullable<number>;
  arrived_at: Timestamp;
  known_at: Timestamp;
  known_assumed: boolean;
  collection_id: string;
}

export interface FactorTable {
  instrument: string;
  source: string;
  effective_from: Timestamp;
  price_factor: number;
  split_factor: number;
  arrived_at: Timestamp;
}

export interface DatasetVersionTable {
  /** sha256 of the canonical rows: sorted, little-endian columns, schema line. */
  hash: string;
  instrument: string;
  timeframe: string;
  /** As-of, sources, adjustment: what was asked. */
  query: Json;
  rows: number;
  first_bar: Timestamp;
  last_bar: Timestamp;
  artifact_uri: string;
  artifact_sha256: string;
  artifact_bytes: number;
  delivered_by: string;
  /** Which bars came from which source: `DatasetDelivery[]`; empty for versions frozen before it was kept. */
  deliveries: Json<readonly DatasetDelivery[]>;
  created_at: CreatedAt;
}

export interface UploadTable {
  sha256: string;
  file_name: string;
  bytes: number;
  artifact_uri: string;
  actor: string;
  created_at: CreatedAt;
}

/** Content-keyed results of steps: same key, same result, no TTL. */
export interface StepCacheTable {
  key: string;
  step: string;
  result: Json;
  created_at: CreatedAt;
}
