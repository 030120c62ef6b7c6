import type { Prepared } from '../../core/features/prepared.ts';
import { normalFrom, randomFor } from '../../core/models/random.ts';

export interface PlantedOptions {
  readonly seed?: number;
  readonly rows?: number;
  readonly features?: number;
  readonly lookback?: number;
  readonly horizons?: readonly number[];
  /** Share of the label's variance that the newest feature row explains; 0: pure noise. */
  readonly signal?: number;
  readonly labelKind?: string;
}

/** Mean and SD of one column of row-major values over some rows. */
function moments(values: Float64Array, width: number, column: number, rows: Int32Array) {
  let sum = 0;
  let squares = 0;
  for (const row of rows) {
    const value = values[row * width + column]!;
    sum += value;
    squares += value * value;
  }
  const mean = sum / rows.length;
  return { mean, variance: squares / rows.length - mean * mean };
}

const range = (from: number, to: number): Int32Array =>
  Int32Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);

/**
 * Prepared data made by formula: normal features, labels that are a linear function of the first
 * feature of the newest row plus noise. Warm-up rows are NaN, as in the real thing.
 */
export function plantedPrepared(options: PlantedOptions = {}): Prepared {
  const { seed = 1, rows = 420, features = 5, lookback = 8, signal = 0.5 } = options;
  const { horizons = [1, 2, 3], labelKind = 'forwardLogReturn' } = options;
  const normal = normalFrom(randomFor(seed, 0x7465_7374));
  const warmup = 10;
  const neutral = labelKind === 'forwardPrice' ? 1 : 0;
  const values = Float64Array.from({ length: rows * features }, (_, at) =>
    at < warmup * features ? NaN : 50 + 4 * normal(),
  );
  const labels = Float64Array.from({ length: rows * horizons.length }, (_, at) => {
    const planted = (values[Math.floor(at / horizons.length) * features]! - 50) / 4;
    return neutral + 0.02 * (Math.sqrt(signal) * planted + Math.sqrt(1 - signal) * normal());
  });
  const first = warmup + lookback - 1;
  const cut = (share: number): number => first + Math.floor((rows - first) * share);
  const split = {
    train: range(first, cut(0.7)),
    valid: range(cut(0.7) + 3, cut(0.85)),
    test: range(cut(0.85) + 3, rows),
  };
  const column = (k: number) => moments(values, features, k, split.train);
  const label = horizons.map((_, k) => moments(labels, horizons.length, k, split.train));
  const names = Array.from({ length: features }, (_, k) => `f${k}`);
  return {
    featureSet: 'planted',
    featureHash: '0'.repeat(64),
    featureNames: names,
    lookback,
    labelKind,
    labelParams: {},
    horizons,
    timeframe: '1d',
    calendar: '24x7',
    instruments: [{ id: 'PLANTED', from: 0, to: rows }],
    openTime: Float64Array.from({ length: rows }, (_, row) => Date.UTC(2020, 0, 1 + row)),
    close: Float64Array.from({ length: rows }, (_, row) => 1000 + row),
    features: values,
    labels,
    split,
    scalers: {
      features: {
        kind: 'standard',
        offset: names.map((_, k) => column(k).mean),
        factor: names.map((_, k) => 1 / Math.sqrt(column(k).variance)),
        clip: [-6, 6],
      },
      labels: {
        kind: 'standard',
        offset: label.map(({ mean }) => mean),
        factor: label.map(({ variance }) => 1 / Math.sqrt(variance)),
      },
    },
    trainLabelMean: label.map(({ mean }) => mean),
    trainLabelVariance: label.map(({ variance }) => variance),
    trainedThrough: Date.UTC(2020, 0, 1 + cut(0.85)),
  };
}
