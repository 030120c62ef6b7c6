import type { LossRows } from '../core/drift/loss-history.ts';
import type { StoredTestRows } from '../core/evaluation/index.ts';
import { labelKindOrThrow } from '../core/labels/index.ts';
import { surpriseOf } from '../core/metrics/classes/probability-metrics.ts';
import type { SettledForecast } from '../registry/drift-history.ts';
import type { WatchedVersion } from './monitor-version.ts';

/** Losses of test rows and settled forecasts, one row an instrument and decision time. */
export function lossRowsOf(
  version: WatchedVersion,
  testRows: StoredTestRows | null,
  settled: readonly SettledForecast[],
  variances: ReadonlyMap<string, ReadonlyMap<number, number>>,
): LossRows {
  const { horizons, lossWeights } = version;
  const width = horizons.length;
  const found = new Map<string, { time: number; variance: number; errors: Float64Array }>();
  const rowAt = (instrument: string, time: number): Float64Array => {
    const key = `${time}/${instrument}`;
    const known = found.get(key);
    if (known) return known.errors;
    const variance = variances.get(instrument)?.get(time) ?? NaN;
    const errors = new Float64Array(width).fill(NaN);
    found.set(key, { time, variance, errors });
    return errors;
  };
  if (testRows) addTestRows(testRows, rowAt);
  const lossOf = settledLoss(version.labelKind);
  for (const forecast of settled) {
    const k = horizons.indexOf(forecast.horizon);
    if (k < 0) continue;
    const errors = rowAt(forecast.instrument, forecast.time);
    // Where a row of the test part is there already, it stays: both are the same forecast.
    if (!Number.isNaN(errors[k]!)) continue;
    errors[k] = lossOf(forecast);
  }
  const rows = [...found.values()];
  const loss = new Float64Array(rows.length * width);
  rows.forEach(({ errors }, row) => loss.set(errors, row * width));
  return {
    kind: ofClasses(version.labelKind) ? 'excess' : 'squaredError',
    horizons,
    weights: lossWeights,
    time: Float64Array.from(rows, ({ time }) => time),
    loss,
    variance: Float64Array.from(rows, ({ variance }) => variance),
  };
}

const ofClasses = (labelKind: string): boolean =>
  labelKindOrThrow(labelKind).task === 'classification';

/** See `LossRows.kind`. */
function settledLoss(labelKind: string): (forecast: SettledForecast) => number {
  if (ofClasses(labelKind)) return ({ excessLoss }) => excessLoss ?? NaN;
  return ({ forecastChange, actualChange }) =>
    (Math.log1p(forecastChange) - Math.log1p(actualChange)) ** 2;
}

/** The same of the test part. */
function testLoss(rows: StoredTestRows): (row: number, k: number) => number {
  const kind = labelKindOrThrow(rows.labelKind);
  const width = rows.horizons.length;
  const { priors, predictions, labels } = rows;
  if (kind.task === 'classification') {
    const classes = kind.classes.length;
    return (row, k) => {
      const at = row * width + k;
      const came = labels[at]!;
      const share = priors?.[k]?.[came] ?? NaN;
      return surpriseOf(predictions[at * classes + came]!) - surpriseOf(share);
    };
  }
  const logReturn = (value: number): number => Math.log(kind.priceFrom(value, 1));
  return (row, k) => {
    const at = row * width + k;
    return (logReturn(predictions[at]!) - logReturn(labels[at]!)) ** 2;
  };
}

function addTestRows(
  rows: StoredTestRows,
  rowAt: (instrument: string, time: number) => Float64Array,
): void {
  const width = rows.horizons.length;
  const lossOf = testLoss(rows);
  rows.openTime.forEach((time, row) => {
    const errors = rowAt(rows.instruments[rows.instrument[row]!]!, time);
    for (let k = 0; k < width; k++) errors[k] = lossOf(row, k);
  });
}
