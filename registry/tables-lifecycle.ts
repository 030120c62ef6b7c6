import type { ColumnType, Generated } from 'kysely';
import type { ClassAnswer } from '../core/predict/answer.ts';
import type { CreatedAt, Json, Nullable, NullableJson, Timestamp } from './columns.ts';

type NullableTimestamp = ColumnType<
  Date | null,
  Date | string | null | undefined,
  Date | string | null
>;

/** What the lifecycle of a model decides on. */
export interface ModelStateTable {
  model: string;
  generation: number;
  champion_version: Nullable<number>;
  changed_at: Timestamp;
  /** Frozen: nothing is retrained or promoted but by hand. */
  frozen: ColumnType<boolean, boolean | undefined, boolean>;
  frozen_reason: Nullable<string>;
  /** Market times. */
  cooldown_until: NullableTimestamp;
  last_retrain_as_of: NullableTimestamp;
  /** Everything known by then was settled. */
  settled_as_of: NullableTimestamp;
}

export type PredictionRole = 'champion' | 'canary' | 'shadow' | 'pinned';

/** What happened after a prediction; a revised bar adds a `revision`, the newest one counts. */
export interface OutcomeTable {
  prediction_id: string;
  horizon: number;
  revision: number;
  model: string;
  version: number;
  role: PredictionRole;
  trial_id: Nullable<string>;
  input: string;
  /** The answer was the declared fallback's, not the version's. */
  fallback: boolean;
  instrument: string;
  as_of: Timestamp;
  /** Open time of the bar that the forecast was for. */
  target_time: Timestamp;
  /** `at` of the prediction: the key of its partition. */
  predicted_at: Timestamp;
  /** Both adjusted as of the target bar, so that their ratio is free of splits and dividends. */
  last_close: number;
  actual_close: number;
  /** Fractions of the last close: 0.01 = 1 %. */
  forecast_change: number;
  actual_change: number;
  /** interval80 of the answer; null where it had none. */
  interval_low: Nullable<number>;
  interval_high: Nullable<number>;
  /** Label units: forecast - actual. */
  error: number;
  /** The same of the forecast "nothing changes". */
  naive_error: number;
  /** Squared error / variance of the training labels; of classes the log loss. */
  scaled_loss: Nullable<number>;
  /** Of a model of classes: what it said, and the place of the class that came. */
  classes: NullableJson<ClassAnswer>;
  actual_class: Nullable<number>;
  /** Log loss of the class shares of the training part. */
  reference_loss: Nullable<number>;
  actual_direction: 'up' | 'down' | 'neutral';
  direction_hit: boolean;
  /** Of interval80; null where the answer had none. */
  covered: Nullable<boolean>;
  /** 1 long, -1 short, 0 flat. */
  position: number;
  /** Of the position that the forecast's direction takes, held for the horizon, after costs. */
  signal_return: number;
  /** When the outcome's bar was known. */
  known_at: Timestamp;
  settled_as_of: Timestamp;
  settled_at: CreatedAt;
}

/** What a version's losses are measured by. */
export interface VersionScaleTable {
  model: string;
  version: number;
  label_kind: string;
  horizons: number[];
  /** Of the training labels, label units squared. */
  label_variance: number[];
  /** Of each horizon in the loss that versions are compared by; they add up to 1. */
  loss_weights: number[];
  /** Of labels with classes: their shares in the training part, by horizon and class. */
  class_priors: NullableJson<readonly (readonly number[])[]>;
}

export type TrialKind = 'shadow' | 'canary' | 'manual';
export type TrialStatus =
  'running' | 'promoted' | 'rejected' | 'undecided' | 'aborted' | 'superseded';

export interface TrialTable {
  id: string;
  model: string;
  version: number;
  champion_version: Nullable<number>;
  generation: number;
  kind: TrialKind;
  policy: string;
  /** prove: only the trial's own rows can promote; guard: proved offline, the trial can only stop it. */
  mode: 'prove' | 'guard';
  status: TrialStatus;
  /** `promotion` of the spec. */
  settings: Json;
  started_as_of: Timestamp;
  last_as_of: Timestamp;
  /** Share of the traffic that the challenger answers; 0 outside a canary. */
  share: ColumnType<number, number | undefined, number>;
  progress: NullableJson;
  reasons: ColumnType<readonly string[], string | undefined, string>;
  gate_decision_id: string;
  end_decision_id: Nullable<string>;
  experiment_id: string;
  judgement: NullableJson<Judgement>;
  started_at: CreatedAt;
  finished_at: NullableTimestamp;
}

/** What a person decided on a trial. */
export interface Judgement {
  readonly decision: 'approve' | 'reject';
  readonly actor: string;
  readonly reason: string;
}

export interface RetrainTable {
  id: string;
  model: string;
  experiment_id: string;
  as_of: Timestamp;
  reasons: Json<readonly string[]>;
  status: 'running' | 'completed' | 'failed' | 'cancelled';
  outcome: Nullable<string>;
  /** Training minutes it took of the day's budget. */
  minutes: Nullable<number>;
  started_at: CreatedAt;
  finished_at: NullableTimestamp;
}

/** The story of a model, append-only. */
export interface LifecycleEventTable {
  seq: Generated<string>;
  model: string;
  at: CreatedAt;
  as_of: NullableTimestamp;
  kind: string;
  version: Nullable<number>;
  actor: string;
  words: string;
  payload: ColumnType<Record<string, unknown>, string | undefined, string>;
  /** Repeats of an activity write the same key once. */
  dedupe_key: string;
}

/** The newest look of the lifecycle at a model, in words. */
export interface ExplanationTable {
  model: string;
  as_of: NullableTimestamp;
  written_at: ColumnType<Date, Date | string | undefined, Date | string>;
  state: string;
  sentences: Json<readonly string[]>;
  details: ColumnType<Record<string, unknown>, string | undefined, string>;
}

export interface DriftCalibrationTable {
  model: string;
  version: number;
  package_digest: string;
  /** What the calibration was made of. */
  key: string;
  calibration: Json;
  created_at: CreatedAt;
}

export interface DriftReportTable {
  id: string;
  model: string;
  version: number;
  as_of: Timestamp;
  verdict: 'none' | 'warn' | 'drift' | 'notCalibrated';
  signals: Json<readonly string[]>;
  words: Json<readonly string[]>;
  report: Json;
  state: NullableJson;
  /** What the lifecycle made of its signals. */
  considered: Nullable<'retrain' | 'wait'>;
  page_uri: Nullable<string>;
  page_sha256: Nullable<string>;
  page_bytes: Nullable<number>;
  created_at: CreatedAt;
}

export interface AlertTable {
  /** Same event, same id. */
  id: string;
  event: string;
  model: Nullable<string>;
  as_of: NullableTimestamp;
  payload: Json<Record<string, unknown>>;
  created_at: CreatedAt;
}

export interface AlertDeliveryTable {
  alert_id: string;
  webhook: string;
  status: 'pending' | 'delivered' | 'failed' | 'refused';
  attempts: ColumnType<number, number | undefined, number>;
  last_error: Nullable<string>;
  delivered_at: NullableTimestamp;
}
