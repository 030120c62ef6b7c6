/** Bars through time: as they were known at each of many instants, without a read for each. */
import { sql } from 'kysely';
import type { Bars, Timeframe } from '../core/bars/bars.ts';
import { lowerBound } from '../core/bars/build.ts';
import type { Db } from './in-transaction.ts';
import { readServedBars, type ServedSource } from './served-bars.ts';

/** Instants between which nothing older changed: from one to the next, bars were only added. */
export interface KnownPart {
  /** ms UTC, ascending. */
  readonly asOf: Float64Array;
  /** As they were known at the last instant. */
  readonly bars: Bars;
  /** When each bar was first known, ms UTC: at an instant only those before it were there, and they were as they are here. */
  readonly knownAt: Float64Array;
  /** They begin where the instrument's recorded history begins. */
  readonly fromFirstBar: boolean;
}

/** How far before the first instant anything looks. */
export interface Reach {
  /** Where so many bars are expected to begin (ms UTC); older ones are read only where fewer are there. */
  readonly since: number;
  /** Bars that must have been known at the first instant. */
  readonly bars: number;
}

/**
 * The bars of an instrument at instants `asOf` (ms UTC, ascending), in as few parts as there were changes of what had been
 * known: whatever looks back from an instant over the bars known by it sees what it saw then. Bars and factors as
 * `readServedBars` has them. `reachAt`: what a look back from an instant needs; absent: all there is.
 */
export async function* barsThroughTime(
  db: Db,
  instrument: string,
  timeframe: Timeframe,
  sources: readonly ServedSource[],
  asOf: Float64Array,
  reachAt?: (asOf: number) => Reach,
): AsyncGenerator<KnownPart, void, undefined> {
  const [start, last] = [asOf[0], asOf.at(-1)];
  if (start === undefined || last === undefined) return;
  const series = { instrument, timeframe, sources };
  const reach = reachAt?.(start);
  let rows = await readArrivals(db, series, last, reach?.since);
  if (reach && rows.filter(({ knownAt }) => knownAt <= start).length < reach.bars) {
    rows = await readArrivals(db, series, last);
  }
  const changes = changesBetween(rows, sources, await readFactorChanges(db, series), asOf);
  const first = firstKnown(rows);
  let from = 0;
  while (from < asOf.length) {
    const change = changes.find((at) => at > asOf[from]!) ?? Infinity;
    const to = lowerBound(asOf, change);
    const part = asOf.subarray(from, to);
    const read = await readPart(db, series, part, reachAt?.(part[0]!));
    const knownAt = read.bars.openTime.map((time) => first.get(time) ?? -Infinity);
    yield { asOf: part, knownAt, ...read };
    from = to;
  }
}

/** From `reach` on where that is enough for the first instant, else all. */
async function readPart(
  db: Db,
  { instrument, timeframe, sources }: Series,
  asOf: Float64Array,
  reach: Reach | undefined,
): Promise<Pick<KnownPart, 'bars' | 'fromFirstBar'>> {
  const range = { last: Number.MAX_SAFE_INTEGER, before: asOf.at(-1)! };
  if (reach) {
    const { since, bars: least } = reach;
    const part = { ...range, since, least };
    const read = await readServedBars(db, instrument, timeframe, sources, part);
    if (read.fromFirstBar || lowerBound(read.bars.openTime, asOf[0]!) >= least) return read;
  }
  return readServedBars(db, instrument, timeframe, sources, range);
}

function firstKnown(rows: readonly ArrivalRow[]): ReadonlyMap<number, number> {
  const first = new Map<number, number>();
  for (const { openTime, knownAt } of rows) {
    first.set(openTime, Math.min(first.get(openTime) ?? Infinity, knownAt));
  }
  return first;
}

interface Series {
  readonly instrument: string;
  readonly timeframe: Timeframe;
  readonly sources: readonly ServedSource[];
}

/**
 * Instants (ms UTC, ascending) at which something older changed: from each on, a look back shows another past than an
 * instant of `asOf` before it had seen.
 */
function changesBetween(
  rows: readonly ArrivalRow[],
  sources: readonly ServedSource[],
  factors: readonly FactorChange[],
  asOf: Float64Array,
): number[] {
  const visible = visibleSince(rows);
  // Was any instant asked for at which it could be seen, and was not yet so?
  const seenBefore = (from: number, to: number): boolean => {
    const next = asOf[lowerBound(asOf, from)];
    return next !== undefined && next < to;
  };
  const firstOf = (from: (row: ArrivalRow) => boolean): number =>
    rows.reduce((least, row) => (from(row) ? Math.min(least, row.knownAt) : least), Infinity);
  const wholes = factors.flatMap(({ source, at, arrivedAt }) => [
    arrivedAt,
    // From the source's first bar after it takes effect on, all before it stand on another price level.
    firstOf((row) => row.source === source && row.openTime >= at),
  ]);
  const substitutes = new Set(
    sources.filter(({ role }) => role === 'substitute').map(({ source }) => source),
  );
  // The first bar of another source takes the place of all that a substitute gave.
  if (substitutes.size > 0) wholes.push(firstOf((row) => !substitutes.has(row.source)));
  const changes = rows
    .map(({ knownAt }) => knownAt)
    .filter((knownAt, i) => seenBefore(visible[i]!, knownAt));
  for (const change of wholes) {
    if (Number.isFinite(change) && seenBefore(-Infinity, change)) changes.push(change);
  }
  return [...new Set(changes)].sort((a, b) => a - b);
}

interface ArrivalRow {
  readonly source: string;
  readonly openTime: number;
  readonly knownAt: number;
}

/** Every revision of every bar, from `since` on, that was known by `last`, in order of time. */
async function readArrivals(
  db: Db,
  { instrument, timeframe, sources }: Series,
  last: number,
  since?: number,
): Promise<readonly ArrivalRow[]> {
  const names = sources.filter(({ columns }) => !columns).map(({ source }) => source);
  const { rows } = await sql<ArrivalRow>`
    SELECT source, (extract(epoch FROM open_time) * 1000)::float8 AS "openTime",
           (extract(epoch FROM known_at) * 1000)::float8 AS "knownAt"
    FROM bar
    WHERE instrument = ${instrument} AND timeframe = ${timeframe}
      AND source = ANY(${names}) AND known_at <= to_timestamp(${last / 1000}::float8)
      AND ${since === undefined ? sql`TRUE` : sql`open_time >= to_timestamp(${since / 1000}::float8)`}
    ORDER BY bar.open_time`.execute(db);
  return rows;
}

/** When a bar that opens at a row's time or later was known first: until then a change of that row is none. */
function visibleSince(rows: readonly ArrivalRow[]): Float64Array {
  const since = new Float64Array(rows.length);
  let first = Infinity;
  for (let to = rows.length; to > 0;) {
    // Revisions and other sources of one bar stand side by side.
    let from = to;
    while (from > 0 && rows[from - 1]!.openTime === rows[to - 1]!.openTime) from--;
    for (let i = from; i < to; i++) first = Math.min(first, rows[i]!.knownAt);
    since.fill(first, from, to);
    to = from;
  }
  return since;
}

interface FactorChange {
  readonly source: string;
  /** When it takes effect, and when it was heard of. */
  readonly at: number;
  readonly arrivedAt: number;
}

/** Factor rows that take effect at a time, with when their set arrived; the first set counts as always known. */
async function readFactorChanges(
  db: Db,
  { instrument, sources }: Series,
): Promise<readonly FactorChange[]> {
  const names = sources.map(({ source }) => source);
  const { rows } = await sql<FactorChange>`
    SELECT source, (extract(epoch FROM effective_from) * 1000)::float8 AS at,
           CASE WHEN arrived_at = min(arrived_at) OVER (PARTITION BY source) THEN '-infinity'::float8
                ELSE (extract(epoch FROM arrived_at) * 1000)::float8 END AS "arrivedAt"
    FROM factor
    WHERE instrument = ${instrument} AND source = ANY(${names})`.execute(db);
  return rows;
}
