import { sql } from 'kysely';
import type { Bars, Timeframe } from '../core/bars/bars.ts';
import { derivedValue, emptyBars } from '../core/bars/build.ts';
import { knownAt, newRevisions, type StoredBars } from '../core/bars/revisions.ts';
import type { FactorRow } from '../core/bars/adjust.ts';
import type { Sessions } from '../core/bars/sessions.ts';
import { doublesOf, intsOf } from './byte-columns.ts';
import { inTransaction, type Db } from './in-transaction.ts';

export interface BarSeries {
  readonly instrument: string;
  readonly timeframe: Timeframe;
  /** Who delivered: see `seriesSource` in collections.ts. */
  readonly source: string;
}

export interface Arrival {
  readonly collectionId: string;
  /** ms UTC. */
  readonly arrivedAt: number;
  readonly calendar: Sessions;
  readonly declaredDelayMs: number;
}

export interface AppendResult {
  /** Bars that were not there. */
  readonly added: number;
  /** Bars of which a value changed: they got a new revision. */
  readonly changed: number;
}

/** Columns as bytes, big-endian; all null where there is no row. */
interface BarColumns {
  readonly openTime: Buffer | null;
  readonly revision: Buffer | null;
  readonly open: Buffer;
  readonly high: Buffer;
  readonly low: Buffer;
  readonly close: Buffer;
  readonly volume: Buffer;
  /** Without those of bars that have none. */
  readonly value: Buffer | null;
}

/**
 * Appends what is new or changed; nothing is ever updated or deleted. `valueDerived` bars are stored
 * without value. One appender a series at a time: others wait for its transaction.
 */
export function appendBars(
  db: Db,
  source: string,
  bars: Bars,
  arrival: Arrival,
): Promise<AppendResult> {
  const { instrument, timeframe } = bars;
  const series = { instrument, timeframe, source };
  return inTransaction(db, async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${JSON.stringify(series)}, 0))`.execute(
      trx,
    );
    // Only what may be there already: a page of a long history must not read all of it.
    const [since, until] = [bars.openTime[0], bars.openTime.at(-1)];
    if (since === undefined) return { added: 0, changed: 0 };
    const stored = await readStoredBars(trx, series, undefined, since, until);
    const { positions, revision, changed } = newRevisions(stored, bars);
    if (positions.length === 0) return { added: 0, changed: 0 };
    const known = Array.from(positions, (at, i) =>
      knownAt(bars.openTime[at]!, arrival.arrivedAt, revision[i]!, { ...arrival, timeframe }),
    );
    const pick = (column: Float64Array): number[] => Array.from(positions, (at) => column[at]!);
    const value = bars.valueDerived ? Array.from(positions, () => null) : pick(bars.value);
    await sql`
      INSERT INTO bar (instrument, timeframe, source, collection_id, arrived_at, open_time, revision,
                       open, high, low, close, volume, value, known_at, known_assumed)
      SELECT ${instrument}, ${timeframe}, ${source}, ${arrival.collectionId}::bigint,
             to_timestamp(${arrival.arrivedAt / 1000}::float8), to_timestamp(t / 1000), r,
             o, h, l, c, v, val, to_timestamp(k / 1000), a
      FROM unnest(${pick(bars.openTime)}::float8[], ${Array.from(revision)}::int[],
                  ${pick(bars.open)}::float8[], ${pick(bars.high)}::float8[],
                  ${pick(bars.low)}::float8[], ${pick(bars.close)}::float8[],
                  ${pick(bars.volume)}::float8[], ${value}::float8[],
                  ${known.map((k) => k.at)}::float8[], ${known.map((k) => k.assumed)}::boolean[])
           AS incoming (t, r, o, h, l, c, v, val, k, a)`.execute(trx);
    return { added: positions.length - changed, changed };
  });
}

/**
 * The newest revision of every bar of a series that was known at `asOf` (ms UTC; default: all), from the one
 * that opens at `since` on (ms UTC; default: from the first).
 */
export async function readStoredBars(
  db: Db,
  series: BarSeries,
  asOf?: number,
  since?: number,
  until?: number,
): Promise<StoredBars> {
  const known =
    asOf === undefined ? sql`TRUE` : sql`known_at <= to_timestamp(${asOf / 1000}::float8)`;
  const from =
    since === undefined ? sql`TRUE` : sql`open_time >= to_timestamp(${since / 1000}::float8)`;
  const to =
    until === undefined ? sql`TRUE` : sql`open_time <= to_timestamp(${until / 1000}::float8)`;
  // One row of whole columns, big-endian doubles: half a million bars as objects would be a hundred times as much to parse,
  // and to keep. `float8send` gives the stored bits.
  const column = (name: string) =>
    sql`string_agg(float8send(${sql.ref(name)}), ''::bytea ORDER BY open_time) AS ${sql.ref(name)}`;
  const { rows } = await sql<BarColumns>`
    SELECT string_agg(float8send((extract(epoch FROM open_time) * 1000)::float8), ''::bytea
                      ORDER BY open_time) AS "openTime",
           string_agg(int4send(revision), ''::bytea ORDER BY open_time) AS revision,
           ${sql.join(['open', 'high', 'low', 'close', 'volume', 'value'].map(column))}
    FROM (
      SELECT DISTINCT ON (bar.open_time)
             open_time, revision, open, high, low, close, volume, value
      FROM bar
      WHERE instrument = ${series.instrument} AND timeframe = ${series.timeframe}
        AND source = ${series.source} AND ${known} AND ${from} AND ${to}
      ORDER BY bar.open_time, revision DESC
    ) AS newest`.execute(db);
  return storedBars(series, rows[0]!);
}

/** Bars of a series as they were known at `asOf` (ms UTC; default: now), from `since` on (default: all). */
export async function readBarsAsOf(
  db: Db,
  series: BarSeries,
  asOf?: number,
  since?: number,
): Promise<Bars> {
  return (await readStoredBars(db, series, asOf, since)).bars;
}

/**
 * Open time (ms UTC) of a series' `bars`-th newest bar: from there on an increment is asked for. Undefined where so many
 * are not stored.
 */
export async function overlapStart(
  db: Db,
  { instrument, timeframe, source }: BarSeries,
  bars: number,
): Promise<number | undefined> {
  const { rows } = await sql<{ at: number }>`
    SELECT (extract(epoch FROM open_time) * 1000)::float8 AS at FROM bar
    WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ${source}
      AND revision = 0
    ORDER BY bar.open_time DESC OFFSET ${bars - 1} LIMIT 1`.execute(db);
  return rows[0]?.at;
}

/** How many bars of a series are stored, each once, whatever its revisions. */
export async function countBars(
  db: Db,
  { instrument, timeframe, source }: BarSeries,
): Promise<number> {
  const { rows } = await sql<{ bars: number }>`
    SELECT count(*)::int AS bars FROM bar
    WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ${source}
      AND revision = 0`.execute(db);
  return rows[0]!.bars;
}

function storedBars({ instrument, timeframe }: BarSeries, columns: BarColumns): StoredBars {
  const { openTime, revision, value } = columns;
  if (openTime === null || revision === null) {
    return { bars: emptyBars(instrument, timeframe), revision: new Int32Array() };
  }
  const prices = {
    open: doublesOf(columns.open),
    high: doublesOf(columns.high),
    low: doublesOf(columns.low),
    close: doublesOf(columns.close),
    volume: doublesOf(columns.volume),
  };
  // As `barsFromRows`: traded values count only when every bar has one.
  const hasValue = value !== null && value.length === openTime.length;
  return {
    bars: {
      ...{ instrument, timeframe, openTime: doublesOf(openTime), ...prices },
      value: hasValue ? doublesOf(value) : derivedValue(prices),
      valueDerived: !hasValue,
    },
    revision: intsOf(revision),
  };
}

/** Stores the factor rows of a delivery where they differ from those stored last. */
export function appendFactors(
  db: Db,
  series: Pick<BarSeries, 'instrument' | 'source'>,
  factors: readonly FactorRow[],
  arrivedAt: number,
): Promise<number> {
  return inTransaction(db, async (trx) => {
    const stored = await readFactors(trx, series);
    if (JSON.stringify(sorted(factors)) === JSON.stringify(stored)) return 0;
    // A delivery is one set: all its rows are written, so that the newest set can be read as a whole.
    await sql`
      INSERT INTO factor (instrument, source, effective_from, price_factor, split_factor, arrived_at)
      SELECT ${series.instrument}, ${series.source}, to_timestamp(t / 1000), p, s,
             to_timestamp(${arrivedAt / 1000}::float8)
      FROM unnest(${factors.map((f) => f.effectiveFrom)}::float8[],
                  ${factors.map((f) => f.priceFactor)}::float8[],
                  ${factors.map((f) => f.splitFactor)}::float8[]) AS incoming (t, p, s)`.execute(
      trx,
    );
    return factors.length;
  });
}

const sorted = (factors: readonly FactorRow[]): FactorRow[] =>
  factors
    .map(({ effectiveFrom, priceFactor, splitFactor }) => ({
      effectiveFrom,
      priceFactor,
      splitFactor,
    }))
    .sort((a, b) => a.effectiveFrom - b.effectiveFrom);

/**
 * The newest set of factor rows of a series that had arrived at `asOf`, by time of effect. Before the first
 * set arrived it is that one: a backfill, as with bars that are assumed known from their close on; what
 * takes effect after `asOf` is left out by `adjustBars`.
 */
export async function readFactors(
  db: Db,
  series: Pick<BarSeries, 'instrument' | 'source'>,
  asOf?: number,
): Promise<FactorRow[]> {
  const { instrument, source } = series;
  const arrived =
    asOf === undefined ? sql`TRUE` : sql`arrived_at <= to_timestamp(${asOf / 1000}::float8)`;
  const { rows } = await sql<{ at: number; price: number; split: number }>`
    SELECT (extract(epoch FROM effective_from) * 1000)::float8 AS at,
           price_factor AS price, split_factor AS split
    FROM factor
    WHERE instrument = ${instrument} AND source = ${source}
      AND arrived_at = (
        SELECT COALESCE(max(arrived_at) FILTER (WHERE ${arrived}), min(arrived_at))
        FROM factor WHERE instrument = ${instrument} AND source = ${source})
    ORDER BY effective_from`.execute(db);
  return rows.map((row) => ({
    effectiveFrom: row.at,
    priceFactor: row.price,
    splitFactor: row.split,
  }));
}
