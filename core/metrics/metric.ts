import { RatchetError } from '../errors.ts';

/**
 * What a metric is computed from: one horizon of one part. All arrays have one entry a row and hold
 * finite values; a NaN makes every metric NaN, which no gate lets pass.
 */
export interface ForecastRows {
  /** Label as it came, label units. */
  readonly actual: Float64Array;
  /** Forecast, label units. */
  readonly predicted: Float64Array;
  /** The move that came, as a fraction of the last close (0.01 = 1 %). */
  readonly actualChange: Float64Array;
  /** The forecast move, same units. */
  readonly predictedChange: Float64Array;
}

/**
 * A metric is a function of *means of per-row terms*. That covers all of them (R2 and ratios too), and
 * a block bootstrap then needs sums of blocks only, never the rows again.
 */
export interface Metric {
  readonly name: string;
  /** As people read it. */
  readonly title: string;
  /** Formula, range and edge cases, in one or two sentences. */
  readonly docs: string;
  readonly direction: 'higher' | 'lower';
  /** How reports print it. */
  readonly format: 'number' | 'percent';
  /** One column a term, each of the length of the rows. */
  terms(rows: ForecastRows): readonly Float64Array[];
  /** From the mean of each term to the metric; NaN where it is not defined. */
  value(means: readonly number[]): number;
}

export function defineMetric(metric: Metric): Metric {
  return Object.freeze(metric);
}

/** The metric over all rows. Empty rows give NaN. */
export function computeMetric(metric: Metric, rows: ForecastRows): number {
  return metric.value(metric.terms(rows).map(meanOf));
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
