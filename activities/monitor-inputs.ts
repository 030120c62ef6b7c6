import { barCount, sliceBars, type Bars } from '../core/bars/bars.ts';
import { fillMissing } from '../core/bars/index.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import {
  autoWindow,
  columnsFrom,
  inputDrift,
  MAX_WINDOWS,
  predictionDrift,
  qualityDrift,
  qualityWindows,
  REFERENCE_WINDOWS,
  staleness,
  type DriftColumns,
  type InputDrift,
  type PredictionDrift,
  type QualityDrift,
  type Staleness,
} from '../core/drift/index.ts';
import type { StoredTestRows } from '../core/evaluation/index.ts';
import { buildFeatures, type FeatureSet } from '../core/features/index.ts';
import { ANCHOR_BARS } from '../core/indicators/index.ts';
import { labelKindOrThrow } from '../core/labels/index.ts';
import { riseScore } from '../core/predict/index.ts';
import type { RecordedForecast } from '../registry/drift-history.ts';
import type { WatchedVersion } from './monitor-version.ts';

/** Windows that a report reads: the newest, 40 earlier ones, and the reference of the oldest. */
const BLOCKS = REFERENCE_WINDOWS + MAX_WINDOWS + 1;
/** Fewer bars are no window of anything. */
const LEAST_WINDOW = 30;

const barsPerMonth = ({ calendar, timeframe }: Watched): number =>
  Math.round(calendar.barsPerYear(timeframe) / 12);

type Watched = Pick<
  WatchedVersion,
  'calendar' | 'timeframe' | 'window' | 'missing' | 'features' | 'horizons'
>;

/** What the version reads at each bar, up to the newest one; null: its features are gone, or there is too little. */
export function watchInputs(version: Watched, bars: Bars): InputDrift | null {
  const { features, calendar, missing } = version;
  if (features === null) return null;
  const columns = featureColumns(features, bars, calendar, missing, wantedRows(version, bars));
  const window = windowOf(version, columns.rows);
  return window === null ? null : inputDrift(columns, { window, classifier: 'whenNeeded' });
}

/** Rows worth computing: those that 45 windows of the wanted length need. */
function wantedRows(version: Watched, bars: Bars): number {
  const window = version.window === 'auto' ? barsPerMonth(version) : version.window;
  return Math.min(barCount(bars), BLOCKS * window);
}

function windowOf(version: Watched, rows: number): number | null {
  if (version.window !== 'auto') return version.window;
  return autoWindow(rows, barsPerMonth(version));
}

/**
 * The newest `rows` rows of the features, or as many as are warm: built from the anchor before them, so that every
 * bit is that of training and serving.
 */
function featureColumns(
  set: FeatureSet,
  bars: Bars,
  calendar: Calendar,
  missing: WatchedVersion['missing'],
  rows: number,
): DriftColumns {
  const recorded = barCount(bars);
  // Where holes stay, memories reach further back: two anchors more than any window needs.
  const reach = rows + set.memoryBars + 3 * ANCHOR_BARS;
  const from = Math.max(0, recorded - reach);
  const head = from === 0 ? set.warmupBars : 0;
  const filled = fillMissing(sliceBars(bars, from), calendar, missing, head);
  const columns = columnsFrom(buildFeatures(set, filled, calendar));
  const drop = Math.max(0, columns.rows - rows);
  return {
    names: columns.names,
    rows: columns.rows - drop,
    openTime: columns.openTime.subarray(drop),
    values: columns.values.subarray(drop * columns.names.length),
  };
}

/**
 * What it says, against what it said on its test rows and since: only where a whole window of answers is on record,
 * else the newest window would be one of the test part. null: there are too few.
 */
export function watchPredictions(
  version: Watched & Pick<WatchedVersion, 'labelKind' | 'testRows'>,
  instrument: string,
  recorded: readonly RecordedForecast[],
): PredictionDrift | null {
  const { horizons, testRows } = version;
  const tested = testRows === null ? [] : testForecasts(testRows, instrument);
  const last = tested.at(-1)?.time ?? -Infinity;
  const answered = recorded
    .filter(({ time }) => time > last)
    .map((row) => ({
      time: row.time,
      values: horizons.map((h) => {
        const said = row.horizons.find(({ horizon }) => horizon === h);
        return said === undefined ? NaN : watchedValue(version.labelKind, said);
      }),
    }));
  const rows = [...tested, ...answered];
  const window = windowOf(version, rows.length);
  if (window === null || answered.length < window) return null;
  const values = new Float64Array(rows.length * horizons.length);
  rows.forEach((row, i) => values.set(row.values, i * horizons.length));
  const columns = {
    names: horizons.map((h) => `h=${h}`),
    rows: rows.length,
    openTime: Float64Array.from(rows, ({ time }) => time),
    values,
  };
  return predictionDrift(columns, { window });
}

/** What is watched of an answer: its log return; of classes how much more a rise was foretold than a fall. */
function watchedValue(labelKind: string, said: RecordedForecast['horizons'][number]): number {
  const kind = labelKindOrThrow(labelKind);
  if (kind.task === 'regression') return Math.log1p(said.change);
  const { probabilities } = said.classes ?? {};
  return riseScore(
    kind,
    Float64Array.from(kind.classes, (name) => probabilities?.[name] ?? NaN),
  );
}

/** Recorded answers worth reading. */
export const wantedForecasts = (version: Watched): number =>
  BLOCKS * (version.window === 'auto' ? barsPerMonth(version) : version.window);

/** What `watchedValue` is of the forecasts of an instrument on the test rows, in order of time. */
function testForecasts(
  rows: StoredTestRows,
  instrument: string,
): { readonly time: number; readonly values: readonly number[] }[] {
  const valueOf = testValue(rows);
  const own = rows.instruments.indexOf(instrument);
  const width = rows.horizons.length;
  return [...rows.openTime.keys()]
    .filter((row) => rows.instrument[row] === own)
    .map((row) => ({
      time: rows.openTime[row]!,
      values: rows.horizons.map((_, k) => valueOf(row * width + k)),
    }))
    .sort((a, b) => a.time - b.time);
}

/** By place of row and horizon. */
function testValue({ labelKind, predictions }: StoredTestRows): (at: number) => number {
  const kind = labelKindOrThrow(labelKind);
  if (kind.task === 'regression') return (at) => Math.log(kind.priceFrom(predictions[at]!, 1));
  const classes = kind.classes.length;
  return (at) => riseScore(kind, predictions.subarray(at * classes, (at + 1) * classes));
}

/** Quality of the newest bars, as they were delivered, against that of earlier windows. */
export function watchQuality(version: Watched, bars: Bars): QualityDrift {
  const rows = Math.min(barCount(bars), wantedRows(version, bars));
  const window = windowOf(version, rows) ?? Math.min(LEAST_WINDOW, barCount(bars));
  return qualityDrift(qualityWindows(bars, version.calendar, { window }));
}

/** How late the bars are, and how old the model is. */
export function watchAge(version: WatchedVersion, bars: Bars, asOf: number): Staleness {
  const { calendar, timeframe, trainedThrough, expiresAfter, maxAge } = version;
  const newestBar = bars.openTime.at(-1)!;
  return staleness({ newestBar, asOf, trainedThrough, calendar, timeframe, expiresAfter, maxAge });
}
