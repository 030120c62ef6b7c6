import { barCount, sliceBars, type Bars, type Timeframe } from '../core/bars/bars.ts';
import { adjustBars } from '../core/bars/adjust.ts';
import { barsBetween, emptyBars } from '../core/bars/build.ts';
import {
  mergeSources,
  rankSources,
  type SourcedBars,
  type SourceRole,
} from '../core/bars/merge.ts';
import { joinSeries, type SeriesColumn, type SourcedSeries } from '../core/bars/series.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { sourceOrThrow } from '../core/sources/index.ts';
import { seriesColumnsOf } from '../core/sources/series.ts';
import { readBarsAsOf, readFactors } from './bars.ts';
import { seriesSource } from './collections.ts';
import type { Db } from './in-transaction.ts';
import { readPoints } from './series.ts';

/** One source of a served instrument: the name that specs use, and the key its bars are stored under. */
export interface ServedSource {
  readonly dataset: string;
  readonly role: SourceRole;
  readonly source: string;
  /** Of its dataset; for uploads, which say nothing of it, absent. */
  readonly calendar?: string;
  /** Of sources of bars: from a bar's close to its publication. */
  readonly delayMs?: number;
  /** Columns that it adds to bars; absent: it gives bars. */
  readonly columns?: readonly SeriesColumn[];
}

/** What reading its stored rows needs to know of a dataset: when its bars close, or which columns it adds. */
export function shapeOf(dataset: {
  readonly source: string;
  readonly params: unknown;
  readonly calendar: string;
}): Pick<ServedSource, 'calendar' | 'columns' | 'delayMs'> {
  const { calendar, source } = dataset;
  const columns = seriesColumnsOf(dataset);
  return {
    calendar,
    ...(columns ? { columns } : { delayMs: sourceOrThrow(source).declaredDelayMs }),
  };
}

/** What must be known of a dataset that the operator defined. */
type DefinedDataset = Parameters<typeof seriesSource>[0] & Parameters<typeof shapeOf>[0];

/**
 * Where the bars of an instrument lie for a version that was trained on `sources`. A dataset that the operator took away is
 * left out: what it delivered before is no longer his data. Of an upload it is what its newest delivery says.
 */
export async function servedSourcesOf(
  db: Db,
  datasets: ReadonlyMap<string, DefinedDataset>,
  series: {
    readonly instrument: string;
    readonly timeframe: Timeframe;
    readonly sources: readonly { readonly dataset: string; readonly role: SourceRole }[];
  },
): Promise<readonly ServedSource[]> {
  const { instrument, timeframe } = series;
  const found: ServedSource[] = [];
  for (const { dataset, role } of series.sources) {
    const known = datasets.get(dataset);
    if (known) {
      found.push({ dataset, role, source: seriesSource(known), ...shapeOf(known) });
      continue;
    }
    if (!dataset.startsWith('upload:')) continue;
    const source = await deliveredSource(db, dataset, instrument, timeframe);
    if (source !== undefined) found.push({ dataset, role, source });
  }
  return found;
}

export interface ServedRange {
  /** At most this many of the newest bars. */
  readonly last: number;
  /** Only bars that open before this (ms UTC), as they were known then; absent: now. */
  readonly before?: number | undefined;
  /** Where so many bars are expected to begin (ms UTC): nothing older is read unless they are not there. */
  readonly since?: number | undefined;
  /** With `since`: fewer than these (default: `last`) and all are read. */
  readonly least?: number | undefined;
}

/**
 * The newest bars of an instrument as serving reads them: each source's newest revisions known at
 * `before`, adjusted as of the last of them and merged, both as for training: a factor that takes effect
 * after the last bar would put the window on another price level than any that was trained on. `fromFirstBar`: none was cut off.
 */
export async function readServedBars(
  db: Db,
  instrument: string,
  timeframe: Timeframe,
  sources: readonly ServedSource[],
  range: ServedRange,
): Promise<{ readonly bars: Bars; readonly fromFirstBar: boolean }> {
  const all = await mergedBars(db, instrument, timeframe, sources, range);
  // What became known before the bars that were read would stand at the first of them.
  const part = range.since !== undefined && sources.some(({ role }) => role === 'exogenous');
  const merged = part ? sliceBars(all, Math.min(1, barCount(all))) : all;
  const end = barCount(merged);
  if (range.since !== undefined && end < (range.least ?? range.last)) {
    return readServedBars(db, instrument, timeframe, sources, { ...range, since: undefined });
  }
  const from = Math.max(0, end - range.last);
  const fromFirstBar = from === 0 && range.since === undefined;
  return { bars: sliceBars(merged, from, end), fromFirstBar };
}

async function mergedBars(
  db: Db,
  instrument: string,
  timeframe: Timeframe,
  sources: readonly ServedSource[],
  range: ServedRange,
): Promise<Bars> {
  const sourced: SourcedBars[] = [];
  const columnsOnly: SourcedSeries[] = [];
  for (const { dataset, role, source, columns, calendar, delayMs } of sources) {
    const series = { instrument, timeframe, source };
    if (columns) {
      const points = await readPoints(db, series, { asOf: range.before });
      columnsOnly.push({ name: dataset, columns, points });
      continue;
    }
    const [known, factors] = await Promise.all([
      readBarsAsOf(db, series, range.before, range.since),
      readFactors(db, series, range.before),
    ]);
    const bars = barsBetween(known, Number.NEGATIVE_INFINITY, range.before ?? Infinity);
    sourced.push({
      name: dataset,
      role,
      bars: adjustBars(bars, factors, bars.openTime.at(-1)),
      timing:
        calendar === undefined || delayMs === undefined
          ? undefined
          : { calendar: calendarFor(calendar), delayMs },
    });
  }
  const merged = mergeSources(sourced);
  if (!merged) return emptyBars(instrument, timeframe);
  const lead = rankSources(sourced)[0]!.name;
  const calendar = sources.find(({ dataset }) => dataset === lead)?.calendar;
  if (calendar === undefined) return merged.bars;
  return joinSeries(merged, columnsOnly, calendarFor(calendar)).bars;
}

/**
 * Names the state of an instrument's bars: how many deliveries there were, whoever delivered. Not the
 * newest id: of two at once the later may be seen first, and the earlier would never be noticed.
 */
export async function deliveryState(
  db: Db,
  instrument: string,
  timeframe: Timeframe,
): Promise<string> {
  const row = await db
    .selectFrom('collection')
    .select((eb) => eb.fn.countAll<string>().as('deliveries'))
    .where('instrument', '=', instrument)
    .where('timeframe', '=', timeframe)
    .where('status', '=', 'delivered')
    .executeTakeFirstOrThrow();
  return row.deliveries;
}

/**
 * The key under which the newest delivery of a dataset stored an instrument's bars; undefined: none did.
 * For uploads, whose definition is found out from their bytes when they are collected.
 */
export async function deliveredSource(
  db: Db,
  dataset: string,
  instrument: string,
  timeframe: Timeframe,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('collection')
    .select('source')
    .where('dataset', '=', dataset)
    .where('instrument', '=', instrument)
    .where('timeframe', '=', timeframe)
    .where('status', '=', 'delivered')
    .orderBy('finished_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.source;
}
