/** Bars through time: as they were known at each of many instants, without a read for each. */
import { sql } from 'kysely';
import type { Bars, Timeframe } from '../core/bars/bars.ts';
import { lowerBound } from '../core/bars/build.ts';
import { doublesOf, intsOf } from './byte-columns.ts';
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
  const factors = await readFactorChanges(db, series);
  const readKnown = async (since?: number) => {
    const arrivals = await readArrivals(db, series, last, since);
    return { arrivals, changes: changesBetween(arrivals, sources, factors, asOf), since };
  };
  let known = await readKnown(reachAt?.(start).since);
  let from = 0;
  while (from < asOf.length) {
    const change = known.changes.find((at) => at > asOf[from]!) ?? Infinity;
    const to = lowerBound(asOf, change);
    const part = asOf.subarray(from, to);
    const read = await readPart(db, series, part, known.arrivals, reachAt?.(part[0]!));
    if (known.since !== undefined && read.bars.openTime[0]! < known.since) {
      // Of what had to be read besides, changes are not known yet: this part may be several.
      known = await readKnown();
      continue;
    }
    yield { asOf: part, ...read };
    from = to;
  }
}

/** From `reach` on where so many bars were known at the first instant, else all. */
async function readPart(
  db: Db,
  { instrument, timeframe, sources }: Series,
  asOf: Float64Array,
  arrivals: Arrivals,
  reach: Reach | undefined,
): Promise<Omit<KnownPart, 'asOf'>> {
  const range = { last: Number.MAX_SAFE_INTEGER, before: asOf.at(-1)! };
  if (reach) {
    const { since, bars: least } = reach;
    const part = { ...range, since, least };
    const read = await readServedBars(db, instrument, timeframe, sources, part);
    const knownAt = firstKnown(arrivals, read.bars.openTime);
    if (read.fromFirstBar || countKnown(knownAt, asOf[0]!) >= least) return { ...read, knownAt };
  }
  const read = await readServedBars(db, instrument, timeframe, sources, range);
  return { ...read, knownAt: firstKnown(arrivals, read.bars.openTime) };
}

/** When each bar was known first; -Infinity: not recorded. */
function firstKnown({ openTime, knownAt }: Arrivals, bars: Float64Array): Float64Array {
  const first = new Float64Array(bars.length).fill(-Infinity);
  let row = 0;
  for (let bar = 0; bar < bars.length; bar++) {
    while (row < openTime.length && openTime[row]! < bars[bar]!) row++;
    if (openTime[row] === bars[bar]) first[bar] = knownAt[row]!;
    // Revisions and other sources of one bar stand side by side.
    for (; openTime[row] === bars[bar]; row++) first[bar] = Math.min(first[bar]!, knownAt[row]!);
  }
  return first;
}

const countKnown = (knownAt: Float64Array, by: number): number =>
  knownAt.reduce((count, at) => (at <= by ? count + 1 : count), 0);

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
  arrivals: Arrivals,
  sources: readonly ServedSource[],
  factors: readonly FactorChange[],
  asOf: Float64Array,
): number[] {
  const { knownAt, openTime } = arrivals;
  // Was any instant asked for at which it could be seen, and was not yet so?
  const seenBefore = (from: number, to: number): boolean => {
    const next = asOf[lowerBound(asOf, from)];
    return next !== undefined && next < to;
  };
  const firstOf = (from: (row: number) => boolean): number =>
    knownAt.reduce((least, at, row) => (at < least && from(row) ? at : least), Infinity);
  const nameOf = (row: number): string => arrivals.sources[arrivals.source[row]! - 1]!;
  const wholes = factors.flatMap(({ source, at, arrivedAt }) => [
    arrivedAt,
    // From the source's first bar after it takes effect on, all before it stand on another price level.
    firstOf((row) => openTime[row]! >= at && nameOf(row) === source),
  ]);
  const substitutes = new Set(
    sources.filter(({ role }) => role === 'substitute').map(({ source }) => source),
  );
  // The first bar of another source takes the place of all that a substitute gave.
  if (substitutes.size > 0) wholes.push(firstOf((row) => !substitutes.has(nameOf(row))));
  const changes = new Set<number>();
  const visible = visibleSince(arrivals);
  for (let row = 0; row < knownAt.length; row++) {
    if (seenBefore(visible[row]!, knownAt[row]!)) changes.add(knownAt[row]!);
  }
  for (const change of wholes) {
    if (Number.isFinite(change) && seenBefore(-Infinity, change)) changes.add(change);
  }
  return [...changes].sort((a, b) => a - b);
}

/** Every revision of every bar, in order of their open times: columns of equal length. */
interface Arrivals {
  /** Names, by number from 1 on. */
  readonly sources: readonly string[];
  readonly source: Int32Array;
  /** ms UTC, as `knownAt`. */
  readonly openTime: Float64Array;
  readonly knownAt: Float64Array;
}

type ArrivalBytes = Readonly<Record<'source' | 'openTime' | 'knownAt', Buffer | null>>;

/** Arrivals from `since` on that were known by `last`. */
async function readArrivals(
  db: Db,
  { instrument, timeframe, sources }: Series,
  last: number,
  since?: number,
): Promise<Arrivals> {
  const names = sources.filter(({ columns }) => !columns).map(({ source }) => source);
  const { rows } = await sql<ArrivalBytes>`
    SELECT string_agg(int4send(array_position(${names}::text[], source)), ''::bytea
                      ORDER BY open_time, source, revision) AS source,
           string_agg(float8send((extract(epoch FROM open_time) * 1000)::float8), ''::bytea
                      ORDER BY open_time, source, revision) AS "openTime",
           string_agg(float8send((extract(epoch FROM known_at) * 1000)::float8), ''::bytea
                      ORDER BY open_time, source, revision) AS "knownAt"
    FROM (
      SELECT source, open_time, revision, known_at FROM bar
      WHERE instrument = ${instrument} AND timeframe = ${timeframe}
        AND source = ANY(${names}) AND known_at <= to_timestamp(${last / 1000}::float8)
        AND ${since === undefined ? sql`TRUE` : sql`open_time >= to_timestamp(${since / 1000}::float8)`}
    ) AS arrival`.execute(db);
  const { source, openTime, knownAt } = rows[0]!;
  if (source === null || openTime === null || knownAt === null) {
    const none = new Float64Array();
    return { sources: names, source: new Int32Array(), openTime: none, knownAt: none };
  }
  return {
    sources: names,
    ...{ source: intsOf(source), openTime: doublesOf(openTime), knownAt: doublesOf(knownAt) },
  };
}

/** When a bar that opens at a row's time or later was known first: until then a change of that row is none. */
function visibleSince({ openTime, knownAt }: Arrivals): Float64Array {
  const since = new Float64Array(openTime.length);
  let first = Infinity;
  for (let to = openTime.length; to > 0;) {
    let from = to;
    while (from > 0 && openTime[from - 1] === openTime[to - 1]) from--;
    for (let i = from; i < to; i++) first = Math.min(first, knownAt[i]!);
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
