import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { PredictionAnswer } from '../core/predict/index.ts';

/** Seconds: predictions answer in about a millisecond, Monte-Carlo ones in tens. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface ApiMetrics {
  readonly registry: Registry;
  readonly requests: Histogram<'method' | 'route' | 'status'>;
  readonly predictions: Counter<'model' | 'outcome'>;
  readonly fallbacks: Counter<'model' | 'reason'>;
  readonly abstentions: Counter<'model' | 'reason'>;
  readonly outliers: Counter<'model'>;
  readonly withoutConfidence: Counter<'model'>;
  readonly loadFailures: Counter<'model'>;
  readonly standIn: Gauge<'model'>;
  readonly batchSize: Histogram;
  readonly spoolBytes: Gauge;
  readonly openPackages: Gauge;
  readonly notRecorded: Counter;
  readonly generation: Gauge<'model'>;
  readonly predictionSeconds: Histogram<'role'>;
  readonly trialPredictions: Counter<'role' | 'outcome'>;
  readonly shadowQueue: Gauge;
  readonly trialShare: Gauge<'model'>;
  readonly challengerLoaded: Gauge<'model'>;
  readonly parityDifferent: Gauge<'model'>;
  readonly parityReplayed: Gauge<'model'>;
  readonly parityNight: Gauge<'model'>;
}

/** The API's own series, beside whatever the process registered already. */
export function createApiMetrics(registry: Registry = new Registry()): ApiMetrics {
  const registers = [registry];
  return {
    registry,
    ...trialMetrics(registers),
    ...parityMetrics(registers),
    requests: new Histogram({
      name: 'ratchet_http_request_seconds',
      help: 'Time to answer a request',
      labelNames: ['method', 'route', 'status'],
      buckets: BUCKETS,
      registers,
    }),
    predictions: new Counter({
      name: 'ratchet_predictions_total',
      help: 'Predictions by model and outcome: computed, cached, fallback, failed',
      labelNames: ['model', 'outcome'],
      registers,
    }),
    ...safetyMetrics(registers),
    batchSize: new Histogram({
      name: 'ratchet_predict_batch_windows',
      help: 'Windows that went through the network together',
      buckets: [1, 2, 4, 8, 16, 32, 64],
      registers,
    }),
    openPackages: new Gauge({
      name: 'ratchet_open_packages',
      help: 'Model packages that are open in this process; RATCHET_OPEN_MODELS bounds those that serve',
      registers,
    }),
    spoolBytes: new Gauge({
      name: 'ratchet_prediction_spool_bytes',
      help: 'Bytes of predictions that wait for PostgreSQL',
      registers,
    }),
    notRecorded: new Counter({
      name: 'ratchet_predictions_not_recorded_total',
      help: 'Predictions answered with recorded: false because the spool was full',
      registers,
    }),
    generation: new Gauge({
      name: 'ratchet_serving_generation',
      help: 'Generation of each model that this replica serves',
      labelNames: ['model'],
      registers,
    }),
  };
}

/** Counts one answered prediction by all that it says of itself. */
export function countPrediction(
  metrics: ApiMetrics,
  answer: PredictionAnswer,
  outcome: 'computed' | 'cached' | 'fallback',
): void {
  const { model, fallbackReason } = answer;
  metrics.predictions.inc({ model, outcome });
  if (fallbackReason) metrics.fallbacks.inc({ model, reason: fallbackReason });
  for (const reason of answer.abstainReasons) metrics.abstentions.inc({ model, reason });
  if (answer.outlier) metrics.outliers.inc({ model });
  if (answer.confidenceFailed) metrics.withoutConfidence.inc({ model });
}

/** What was not as it should be with models and their answers. */
function safetyMetrics(registers: Registry[]) {
  const perModel = (name: string, help: string): Counter<'model'> =>
    new Counter({ name, help, labelNames: ['model'], registers });
  const perReason = (name: string, help: string): Counter<'model' | 'reason'> =>
    new Counter({ name, help, labelNames: ['model', 'reason'], registers });
  return {
    fallbacks: perReason(
      'ratchet_prediction_fallbacks_total',
      'Predictions that the fallback answered, by reason: inference-failed, not-finite, implausible',
    ),
    abstentions: perReason(
      'ratchet_prediction_abstentions_total',
      'Predictions that abstained, by reason: outlier, low-confidence, confidence-failed',
    ),
    outliers: perModel(
      'ratchet_prediction_outliers_total',
      'Predictions from windows unlike every training row (dissimilarity above 1)',
    ),
    withoutConfidence: perModel(
      'ratchet_predictions_without_confidence_total',
      'Predictions whose confidence was asked for and could not be computed',
    ),
    loadFailures: perModel(
      'ratchet_champion_load_failures_total',
      'Champions that this replica could not load, each reason once',
    ),
    standIn: new Gauge({
      name: 'ratchet_serving_stand_in',
      help: '1 while an earlier version answers because the champion does not load here',
      labelNames: ['model'] as const,
      registers,
    }),
  };
}

type TrialMetrics = Pick<
  ApiMetrics,
  'predictionSeconds' | 'trialPredictions' | 'shadowQueue' | 'trialShare' | 'challengerLoaded'
>;

/** Champion and challenger side by side: what a trial's guards look at. */
function trialMetrics(registers: Registry[]): TrialMetrics {
  return {
    predictionSeconds: new Histogram({
      name: 'ratchet_prediction_seconds',
      help: 'Time to compute a prediction by role: champion, canary, shadow, pinned',
      labelNames: ['role'],
      buckets: BUCKETS,
      registers,
    }),
    trialPredictions: new Counter({
      name: 'ratchet_trial_predictions_total',
      help: 'Predictions of trials by role (canary, shadow) and outcome: done, failed, dropped',
      labelNames: ['role', 'outcome'],
      registers,
    }),
    shadowQueue: new Gauge({
      name: 'ratchet_shadow_queue',
      help: 'Answered predictions that the other arm of a trial has yet to score',
      registers,
    }),
    trialShare: new Gauge({
      name: 'ratchet_trial_share',
      help: 'Share of the traffic that the challenger of a running trial answers',
      labelNames: ['model'],
      registers,
    }),
    challengerLoaded: new Gauge({
      name: 'ratchet_trial_challenger_loaded',
      help: 'Is the challenger of the running trial open on this replica (1) or not (0)?',
      labelNames: ['model'],
      registers,
    }),
  };
}

/** What was served, computed again: the same in every replica. */
function parityMetrics(
  registers: Registry[],
): Pick<ApiMetrics, 'parityDifferent' | 'parityReplayed' | 'parityNight'> {
  const gauge = (name: string, help: string): Gauge<'model'> =>
    new Gauge({ name, help, labelNames: ['model'], registers });
  return {
    parityDifferent: gauge(
      'ratchet_parity_different',
      'Served predictions that come out otherwise, until a later report over their time finds none',
    ),
    parityReplayed: gauge(
      'ratchet_parity_replayed',
      'Served predictions that the last completed night computed again',
    ),
    parityNight: gauge(
      'ratchet_parity_night_timestamp_seconds',
      'When the last completed night of replays ended',
    ),
  };
}
