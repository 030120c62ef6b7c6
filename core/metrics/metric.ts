import { RatchetError } from '../errors.ts';
import type { TimeGroups } from './bootstrap.ts';

/**
 * What a forecast metric is computed from: one horizon of one part. All arrays have one entry a row and hold
 * finite values; a NaN makes every metric NaN, which no gate lets pass.
 */
export interface ForecastRows {
  /** ms UTC of each row; the same time for several instruments. */
  readonly openTime: Float64Array;
  /** Label as it came, label units. */
  readonly actual: Float64Array;
  /** Forecast, label units. */
  readonly predicted: Float64Array;
  /** The move that came, as a fraction of the last close (0.01 = 1 %). */
  readonly actualChange: Float64Array;
  /** The forecast move, same units. */
  readonly predictedChange: Float64Array;
}

/** What is known of every metric, whatever it is computed from. */
export interface MetricFacts {
  readonly name: string;
  /** As people read it. */
  readonly title: string;
  /** Formula, range and edge cases, in one or two sentences. */
  readonly docs: string;
  readonly direction: 'higher' | 'lower';
  /** How reports print it. */
  readonly format: 'number' | 'percent';
  /** The class that it is about, where it is about one only. */
  readonly ofClass?: string;
}

/**
 * A function of *means of per-row terms*. That covers most metrics (R2, ratios and all that a confusion
 * matrix tells), and a block bootstrap then needs sums of blocks only, never the rows again.
 */
export interface MeansMetric<Rows> extends MetricFacts {
  readonly kind: 'means';
  /** One column a term, each of the length of the rows. Metrics that share the function share its columns. */
  terms(rows: Rows): readonly Float64Array[];
  /** From the mean of each term to the metric; NaN where it is not defined. */
  value(means: readonly number[]): number;
}

/**
 * A function of how often each resampled unit counts: what needs ranks or a spread over time, and is no
 * function of means. It is computed anew, exactly, for each resample.
 */
export interface WeightedMetric<Rows> extends MetricFacts {
  readonly kind: 'weighted';
  prepare(rows: Rows, times: TimeGroups): WeightedStatistic;
}

export interface WeightedStatistic {
  /**
   * `times`: the units are time stamps and drawn in blocks, as for all metrics. A number: so many units that are
   * longer than any block and drawn one by one (months).
   */
  readonly units: 'times' | number;
  /** `weights[unit]`: a whole number >= 0 of draws; all 1 for the data itself. NaN where it is not defined. */
  value(weights: Float64Array): number;
}

export type MetricOf<Rows> = MeansMetric<Rows> | WeightedMetric<Rows>;
export type Metric = MetricOf<ForecastRows>;

export function defineMetric<Rows = ForecastRows>(
  metric: Omit<MeansMetric<Rows>, 'kind'>,
): MeansMetric<Rows> {
  return Object.freeze({ kind: 'means', ...metric });
}

export function defineWeightedMetric<Rows = ForecastRows>(
  metric: Omit<WeightedMetric<Rows>, 'kind'>,
): WeightedMetric<Rows> {
  return Object.freeze({ kind: 'weighted', ...metric });
}

/** Arithmetic mean; NaN of nothing. */
export function meanOf(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** A column computed row by row. */
export function termOf(rows: number, at: (row: number) => number): Float64Array {
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) out[i] = at(i);
  return out;
}

/** All lengths equal, or an error that names them. */
export function assertSameLength(what: string, ...columns: readonly { length: number }[]): void {
  const lengths = columns.map((column) => column.length);
  if (new Set(lengths).size > 1) {
    throw new RatchetError('metrics.lengths', `${what} differ in length: ${lengths.join(', ')}`);
  }
}
