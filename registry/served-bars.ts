import { barCount, sliceBars, type Bars, type Timeframe } from '../core/bars/bars.ts';
import { adjustBars } from '../core/bars/adjust.ts';
import { barsBetween, emptyBars } from '../core/bars/build.ts';
import { mergeSources, type SourcedBars, type SourceRole } from '../core/bars/merge.ts';
import { readBarsAsOf, readFactors } from './bars.ts';
import type { Db } from './in-transaction.ts';

/** One source of a served instrument: the name that specs use, and the key its bars are stored under. */
export interface ServedSource {
  readonly dataset: string;
  readonly role: SourceRole;
  readonly source: string;
}

export interface ServedRange {
  /** At most this many of the newest bars. */
  readonly last: number;
  /** Only bars that open before this (ms UTC), as they were known then; absent: now. */
  readonly before?: number | undefined;
  /** Where so many bars are expected to begin (ms UTC): nothing older is read unless they are not there. */
  readonly since?: number | undefined;
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
  const merged = await mergedBars(db, instrument, timeframe, sources, range);
  const end = barCount(merged);
  if (range.since !== undefined && end < range.last) {
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
  for (const { dataset, role, source } of sources) {
    const series = { instrument, timeframe, source };
    const [known, factors] = await Promise.all([
      readBarsAsOf(db, series, range.before, range.since),
      readFactors(db, series, range.before),
    ]);
    const bars = barsBetween(known, Number.NEGATIVE_INFINITY, range.before ?? Infinity);
    sourced.push({ name: dataset, role, bars: adjustBars(bars, factors, bars.openTime.at(-1)) });
  }
  return mergeSources(sourced)?.bars ?? emptyBars(instrument, timeframe);
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
