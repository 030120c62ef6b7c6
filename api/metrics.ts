import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds: predictions answer in about a millisecond, Monte-Carlo ones in tens. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface ApiMetrics {
  readonly registry: Registry;
  readonly requests: Histogram<'method' | 'route' | 'status'>;
  readonly predictions: Counter<'model' | 'outcome'>;
  readonly batchSize: Histogram;
  readonly spoolBytes: Gauge;
  readonly notRecorded: Counter;
  readonly generation: Gauge<'model'>;
}

/** The API's own series, beside whatever the process registered already. */
export function createApiMetrics(registry: Registry = new Registry()): ApiMetrics {
  const registers = [registry];
  return {
    registry,
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
    batchSize: new Histogram({
      name: 'ratchet_predict_batch_windows',
      help: 'Windows that went through the network together',
      buckets: [1, 2, 4, 8, 16, 32, 64],
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
