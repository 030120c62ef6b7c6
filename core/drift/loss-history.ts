import { TIMEFRAME_MS, type Timeframe } from '../bars/bars.ts';
import { dailyMeans, normalisedLosses, weightedLosses } from './normalised-loss.ts';

/** Forecasts of one version and how far off they were; rows in any order, one an instrument and decision time. */
export interface LossRows {
  readonly horizons: readonly number[];
  /** One a horizon; only their proportions count. */
  readonly weights: readonly number[];
  /** Decision time of each row, ms UTC. */
  readonly time: Float64Array;
  /**
   * `squaredError`: of the log return, to be divided by the market's variance. `excess`: log loss less that of the class
   * shares, which no volatility changes.
   */
  readonly kind: 'squaredError' | 'excess';
  /** Row-major [rows x horizons]; NaN: not settled. */
  readonly loss: Float64Array;
  /** Of one bar; see `lossVariance`; NaN: unknown. */
  readonly variance: Float64Array;
}

/** Values of a sequential test in order of time. */
export interface LossSeries {
  /** ms UTC. */
  readonly times: Float64Array;
  readonly values: Float64Array;
}

/**
 * Normalised losses by decision time: instruments are averaged first, for they move together. Rows with an unknown
 * loss are left out. `floor`: see `normalisedLosses`.
 */
export function lossesByTime(rows: LossRows, floor: number): LossSeries {
  const width = rows.horizons.length;
  const losses = rows.horizons.map((horizon, k) => ({
    horizon,
    weight: rows.weights[k]!,
    loss: rows.time.map((_, row) => rows.loss[row * width + k]!),
  }));
  const u =
    rows.kind === 'excess'
      ? weightedLosses(losses)
      : normalisedLosses({ losses, variance: rows.variance, floor });
  const sums = new Map<number, { sum: number; count: number }>();
  u.forEach((value, row) => {
    if (!Number.isFinite(value)) return;
    const at = sums.get(rows.time[row]!);
    if (at) {
      at.sum += value;
      at.count++;
    } else sums.set(rows.time[row]!, { sum: value, count: 1 });
  });
  const times = Float64Array.from(sums.keys()).sort();
  return {
    times,
    values: times.map((time) => sums.get(time)!.sum / sums.get(time)!.count),
  };
}

const DAY_MS = TIMEFRAME_MS['1d'];
/** Of the bars of a day: the mean of fewer says much less than the days that the monitor is calibrated on. */
const WHOLE_DAY_SHARE = 0.5;

export interface MonitoredSeries extends LossSeries {
  /** Days that were left out for their few losses, ms UTC of their beginnings. */
  readonly thinDays: readonly number[];
}

/**
 * What the monitor steps over: daily models' losses as they are, hourly models' as daily means. A day with fewer than
 * half of its hours is left out, and so are days that end after `through` (ms UTC), which may still change.
 */
export function monitoredSeries(
  series: LossSeries,
  timeframe: Timeframe,
  through: number,
): MonitoredSeries {
  if (timeframe === '1d') return { ...series, thinDays: [] };
  const least = WHOLE_DAY_SHARE * (DAY_MS / TIMEFRAME_MS[timeframe]);
  const counts = new Map<number, number>();
  for (const time of series.times) {
    const day = Math.floor(time / DAY_MS);
    if ((day + 1) * DAY_MS <= through) counts.set(day, (counts.get(day) ?? 0) + 1);
  }
  const values = series.values.map((value, i) =>
    (counts.get(Math.floor(series.times[i]! / DAY_MS)) ?? 0) >= least ? value : NaN,
  );
  const thinDays = [...counts].filter(([, count]) => count < least).map(([day]) => day * DAY_MS);
  return { ...dailyMeans(series.times, values, through), thinDays };
}
