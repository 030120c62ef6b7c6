import type { ColumnType, Generated } from 'kysely';
import type { CreatedAt, Json, Nullable, NullableJson } from './columns.ts';
import type {
  BarTable,
  CollectionTable,
  DatasetVersionTable,
  FactorTable,
  StepCacheTable,
  UploadTable,
} from './tables-data.ts';
import type {
  ExperimentEventTable,
  ExperimentTable,
  FitCheckpointTable,
  FitFenceTable,
} from './tables-experiments.ts';
import type {
  ApiKeyTable,
  ChampionTable,
  GateTryTable,
  IdempotencyKeyTable,
  PredictionTable,
  PromotionAnswerTable,
  PromotionTable,
  ReplicaTable,
  ResultTable,
} from './tables-serving.ts';
import type {
  AlertDeliveryTable,
  AlertTable,
  DriftCalibrationTable,
  DriftReportTable,
  ExplanationTable,
  LifecycleEventTable,
  ModelStateTable,
  OutcomeTable,
  RetrainTable,
  TrialTable,
  VersionScaleTable,
} from './tables-lifecycle.ts';
import type { AskedAdviceTable, PositionAdviceTable } from './tables-advice.ts';
import type {
  BacktestAnswersTable,
  BacktestEventTable,
  BacktestTable,
  BacktestTrainingTable,
} from './tables-backtests.ts';
import type {
  BatchPredictionEventTable,
  BatchPredictionPartTable,
  BatchPredictionTable,
} from './tables-batch-predictions.ts';
import type { VersionEvaluationTable } from './tables-evaluations.ts';
import type { ParityDifferenceTable, ParityReportTable } from './tables-parity.ts';
import type { SearchTable, SearchTrialTable } from './tables-search.ts';

export type * from './tables-advice.ts';
export type * from './tables-backtests.ts';
export type * from './tables-batch-predictions.ts';
export type * from './tables-data.ts';
export type * from './tables-evaluations.ts';
export type * from './tables-experiments.ts';
export type * from './tables-lifecycle.ts';
export type * from './tables-parity.ts';
export type * from './tables-search.ts';
export type * from './tables-serving.ts';

/** Columns of every table, as kysely reads and writes them. The SQL stands in migrations/. */
export interface Database {
  collection: CollectionTable;
  bar: BarTable;
  factor: FactorTable;
  dataset_version: DatasetVersionTable;
  upload: UploadTable;
  step_cache: StepCacheTable;
  experiment: ExperimentTable;
  experiment_event: ExperimentEventTable;
  registered_model: RegisteredModelTable;
  model_version: ModelVersionTable;
  package_signature: PackageSignatureTable;
  model_state: ModelStateTable;
  champion: ChampionTable;
  promotion: PromotionTable;
  promotion_answer: PromotionAnswerTable;
  replica: ReplicaTable;
  result: ResultTable;
  prediction: PredictionTable;
  gate_try: GateTryTable;
  decision: DecisionTable;
  version_evaluation: VersionEvaluationTable;
  backtest: BacktestTable;
  backtest_event: BacktestEventTable;
  backtest_training: BacktestTrainingTable;
  backtest_answers: BacktestAnswersTable;
  batch_prediction: BatchPredictionTable;
  batch_prediction_part: BatchPredictionPartTable;
  batch_prediction_event: BatchPredictionEventTable;
  api_key: ApiKeyTable;
  idempotency_key: IdempotencyKeyTable;
  audit: AuditTable;
  outbox: OutboxTable;
  fit_fence: FitFenceTable;
  fit_checkpoint: FitCheckpointTable;
  search: SearchTable;
  search_trial: SearchTrialTable;
  outcome: OutcomeTable;
  version_scale: VersionScaleTable;
  trial: TrialTable;
  retrain: RetrainTable;
  lifecycle_event: LifecycleEventTable;
  explanation: ExplanationTable;
  drift_calibration: DriftCalibrationTable;
  drift_report: DriftReportTable;
  position_advice: PositionAdviceTable;
  asked_advice: AskedAdviceTable;
  parity_report: ParityReportTable;
  parity_difference: ParityDifferenceTable;
  alert: AlertTable;
  alert_delivery: AlertDeliveryTable;
}

export interface RegisteredModelTable {
  name: string;
  instruments: Json<readonly string[]>;
  timeframe: string;
  model_group: Nullable<string>;
  description: string;
  /** The spec that retrains run. */
  template: NullableJson;
  created_at: CreatedAt;
  retired_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
}

export interface Attachment {
  readonly name: string;
  readonly uri: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface ModelVersionTable {
  model: string;
  version: number;
  status: 'reserved' | 'registered' | 'deleted';
  /** experiment id + model: a repeated reservation gives the same number. */
  reservation_key: string;
  experiment_id: string;
  family: string;
  seed: Nullable<number>;
  instruments: Json<readonly string[]>;
  spec_hash: string;
  dataset_hash: string;
  trained_through: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  manifest_uri: Nullable<string>;
  /** sha256 of manifest.json: names the package. */
  package_digest: Nullable<string>;
  package_bytes: Nullable<number>;
  evaluation_uri: Nullable<string>;
  /** Files for people, e.g. `report.html` and the plots. */
  attachments: ColumnType<readonly Attachment[], string | undefined, string>;
  metrics: NullableJson<Record<string, number | null>>;
  beats_naive: Nullable<boolean>;
  verdict: Nullable<string>;
  created_at: CreatedAt;
}

/** `manifest.sig` by the digest of `manifest.json`. */
export interface PackageSignatureTable {
  package_digest: string;
  /** base64 */
  signature: string;
  created_at: CreatedAt;
}

/** Evidence sheets: one row per decision of the gate, refusals too. */
export interface DecisionTable {
  /** Also the id of the promotion that an accepted decision asks for. */
  id: string;
  model: string;
  version: number;
  champion_version: Nullable<number>;
  expected_generation: number;
  policy: string;
  verdict: 'accept' | 'reject' | 'continue';
  reasons: Json<readonly string[]>;
  evidence: Json;
  created_at: CreatedAt;
}

export interface AuditTable {
  id: Generated<string>;
  at: CreatedAt;
  actor: string;
  action: string;
  object: string;
  before: NullableJson;
  after: NullableJson;
  request_id: Nullable<string>;
  workflow_id: Nullable<string>;
}

export interface OutboxTable {
  id: Generated<string>;
  kind: string;
  /** Same key, one row: a repeated activity enqueues once. */
  key: string;
  payload: Json;
  /** Since when it waits, or waited. */
  created_at: ColumnType<Date, undefined, Date>;
  done_at: ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
  attempts: Generated<number>;
  last_error: Nullable<string>;
  /** Not due before this time. */
  next_attempt_at: ColumnType<Date, Date | string | undefined, Date | string>;
}
