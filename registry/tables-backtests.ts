import type { Generated } from 'kysely';
import type { CreatedAt, Json, Nullable, NullableJson } from './columns.ts';

export type BacktestStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';

/** What came of one strategy. */
export interface StoredStrategyResult {
  readonly strategy: string;
  /** By name of the catalogue of backtest metrics; null where not defined. */
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly finalEquity: number;
  readonly trades: number;
  /** `BacktestResult` of core/backtest as JSON. */
  readonly uri: string;
}

export interface StoredFile {
  readonly name: string;
  readonly uri: string;
}

export interface BacktestTable {
  id: string;
  name: string;
  spec: Json;
  spec_hash: string;
  status: BacktestStatus;
  message: Nullable<string>;
  results: NullableJson<readonly StoredStrategyResult[]>;
  files: NullableJson<readonly StoredFile[]>;
  warnings: NullableJson<readonly string[]>;
  workflow_id: string;
  /** That it asks or trains. */
  models: Generated<string[]>;
  actor: string;
  request_id: Nullable<string>;
  created_at: CreatedAt;
  finished_at: Nullable<Date>;
}

/** A backtest that waits for the training of one of its folds. */
export interface BacktestTrainingTable {
  backtest_id: string;
  experiment_id: string;
}

/** An artifact of the answers of one instrument in one fold (core/backtest/answers.ts). */
export interface StoredAnswers {
  readonly uri: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly rows?: number;
}

export interface BacktestAnswersTable {
  backtest_id: string;
  fold: number;
  instrument: string;
  columns: Json<StoredAnswers>;
}

export interface BacktestEventTable {
  seq: Generated<string>;
  backtest_id: string;
  at: CreatedAt;
  kind: 'plan' | 'fold' | 'answers' | 'advice' | 'result' | 'done';
  payload: Json<Readonly<Record<string, unknown>>>;
  dedupe_key: string;
}
