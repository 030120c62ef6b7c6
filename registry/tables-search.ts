import type { Point } from '../core/search/point.ts';
import type { Space } from '../core/search/space.ts';
import type { CreatedAt, Json, Nullable, Timestamp } from './columns.ts';

export type SearchState = 'running' | 'completed' | 'failed' | 'cancelled';
export type SearchStop = 'trials' | 'exhausted' | 'minutes';
export type SearchTrialState = SearchState | 'pruned';

/** One search of hyperparameters: of one model of an experiment. */
export interface SearchTable {
  experiment_id: string;
  model: string;
  family: string;
  method: string;
  pruner: string;
  /** Of the search (int8). */
  seed: string;
  /** Every trial is fitted with it (int8). */
  fit_seed: string;
  trials: number;
  parallel: number;
  budget_minutes: Nullable<number>;
  space: Json<Space>;
  /** Training budgets of the rungs; empty: no budget is cut. */
  rungs: Json<readonly number[]>;
  state: SearchState;
  stopped_by: Nullable<SearchStop>;
  best_trial: Nullable<number>;
  message: Nullable<string>;
  started_at: Timestamp;
  finished_at: Nullable<Date>;
}

export interface SearchTrialTable {
  experiment_id: string;
  model: string;
  /** From 0. */
  trial: number;
  point: Json<Point>;
  state: SearchTrialState;
  /** Validation loss by finished rung. */
  losses: Json<readonly number[]>;
  /** The last of `losses`. */
  valid_loss: Nullable<number>;
  epochs_run: Nullable<number>;
  best_epoch: Nullable<number>;
  error: Nullable<string>;
  started_at: CreatedAt;
  finished_at: Nullable<Date>;
}
