import { classStatistics } from '../../core/features/class-statistics.ts';
import type { Prepared } from '../../core/features/prepared.ts';
import { labelClasses, labelKindOrThrow } from '../../core/labels/index.ts';
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
  /** What is planted. */
  readonly shape?: keyof typeof SHAPES;
}

/** Bars before the newest one that the shapes with a memory look back. */
const LAG = 40;
/** The largest of LAG normal numbers is above this in half of all cases. */
const HALF_BELOW = 2.115;

/** Standardised feature `column`, `back` rows before the newest one of the window. */
type Standardised = (back: number, column: number) => number;

/** What may be planted in the window, of mean 0 and variance 1; its newest row alone says little of the last two. */
const SHAPES = {
  first: (z: Standardised): number => z(0, 0),
  product: (z: Standardised): number => z(0, 0) * z(0, 1),
  /** Half a sum of 24 features, of which trees see little, half the size of another, of which ridge sees none. */
  sumAndSize: (z: Standardised): number => {
    const sum = Array.from({ length: 24 }, (_, i) => z(0, 1 + i)).reduce((a, b) => a + b);
    const size = (Math.abs(z(0, 0)) - Math.sqrt(2 / Math.PI)) / Math.sqrt(1 - 2 / Math.PI);
    return (sum / Math.sqrt(24) + size) / Math.SQRT2;
  },
  /** The first feature forty bars ago. */
  lagged: (z: Standardised): number => z(LAG, 0),
  /** Whether the first feature was high in any of the newest forty bars. */
  anywhere: (z: Standardised): number =>
    Array.from({ length: LAG }, (_, back) => z(back, 0)).some((value) => value > HALF_BELOW)
      ? 1
      : -1,
} as const;

/** Third quantile of a standard normal: three classes come equally often, the rise of two in a third of the rows. */
const CLASS_CUT = 0.4307;

/** The place of the class that a score falls into, from falling to rising. */
function classOf(score: number, classes: number): number {
  if (classes === 2) return score > CLASS_CUT ? 1 : 0;
  return score > CLASS_CUT ? 2 : score < -CLASS_CUT ? 0 : 1;
}

/** Scores of rows and horizons as simple returns and, of a label with classes, as classes. */
function classLabels(scores: Float64Array, horizons: number, classes: number, train: Int32Array) {
  const changes = scores.map((score) => 0.02 * score);
  // Warm-up rows have no score and no class.
  const labels = scores.map((s) => (Number.isNaN(s) ? NaN : classOf(s, classes)));
  const statistics = classStatistics({ labels, changes, horizons, classes }, train);
  return { labels, labelChanges: changes, classes: statistics };
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
 * Prepared data made by formula: normal features, labels that are what is planted in the window (the first
 * feature of its newest row, unless said otherwise) plus noise, or the class that this falls into.
 * Warm-up rows are NaN, as in the real thing.
 */
export function plantedPrepared(options: PlantedOptions = {}): Prepared {
  const { seed = 1, rows = 420, features = 5, lookback = 8, signal = 0.5 } = options;
  const { horizons = [1, 2, 3], labelKind = 'forwardLogReturn', shape = 'first' } = options;
  const classes = labelClasses(labelKindOrThrow(labelKind));
  const normal = normalFrom(randomFor(seed, 0x7465_7374));
  const warmup = 10;
  const neutral = labelKind === 'forwardPrice' ? 1 : 0;
  const values = Float64Array.from({ length: rows * features }, (_, at) =>
    at < warmup * features ? NaN : 50 + 4 * normal(),
  );
  const scores = Float64Array.from({ length: rows * horizons.length }, (_, at) => {
    const row = Math.floor(at / horizons.length);
    // Out of the rows altogether there is no value, as in the warm-up.
    const planted = SHAPES[shape](
      (back, column) => ((values[(row - back) * features + column] ?? NaN) - 50) / 4,
    );
    return Math.sqrt(signal) * planted + Math.sqrt(1 - signal) * normal();
  });
  const first = warmup + lookback - 1;
  const cut = (share: number): number => first + Math.floor((rows - first) * share);
  const split = {
    train: range(first, cut(0.7)),
    valid: range(cut(0.7) + 3, cut(0.85)),
    test: range(cut(0.85) + 3, rows),
  };
  const made =
    classes > 0
      ? classLabels(scores, horizons.length, classes, split.train)
      : { labels: scores.map((score) => neutral + 0.02 * score) };
  const { labels } = made;
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
    ...made,
    split,
    scalers: {
      features: {
        kind: 'standard',
        offset: names.map((_, k) => column(k).mean),
        factor: names.map((_, k) => 1 / Math.sqrt(column(k).variance)),
        clip: [-6, 6],
      },
      labels: {
        kind: classes > 0 ? 'none' : 'standard',
        offset: label.map(({ mean }) => (classes > 0 ? 0 : mean)),
        factor: label.map(({ variance }) => (classes > 0 ? 1 : 1 / Math.sqrt(variance))),
      },
    },
    trainLabelMean: label.map(({ mean }) => mean),
    trainLabelVariance: label.map(({ variance }) => variance),
    trainedThrough: Date.UTC(2020, 0, 1 + cut(0.85)),
  };
}
