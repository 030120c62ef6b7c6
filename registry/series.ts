/** Stored values of series that are no bars: append-only, each with the time from which on it counts as known. */
import { sql } from 'kysely';
import { TIMEFRAME_MS } from '../core/bars/bars.ts';
import type { SeriesPoint, SeriesPoints } from '../core/bars/series.ts';
import { newVintages } from '../core/bars/vintages.ts';
import type { BarSeries } from './bars.ts';
import { inTransaction, type Db } from './in-transaction.ts';

/**
 * Appends what a delivery says anew; nothing is ever updated or deleted. One appender a series at a time: others wait
 * for its transaction. Returns how many points were new.
 */
export function appendPoints(
  db: Db,
  series: BarSeries,
  points: SeriesPoints,
  arrival: { readonly collectionId: string; readonly arrivedAt: number },
): Promise<number> {
  const { instrument, timeframe, source } = series;
  const rules = { arrivedAt: arrival.arrivedAt, liveMs: TIMEFRAME_MS[timeframe] };
  return inTransaction(db, async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${JSON.stringify(series)}, 0))`.execute(
      trx,
    );
    let added = 0;
    for (const [quantity, incoming] of Object.entries(points)) {
      if (incoming.length === 0) continue;
      const since = Math.min(...incoming.map(({ time }) => time));
      const stored = (await readPoints(trx, series, { quantity, since }))[quantity] ?? [];
      const fresh = newVintages(stored, incoming, rules);
      if (fresh.length === 0) continue;
      await sql`
        INSERT INTO series_point (instrument, timeframe, source, quantity, collection_id, arrived_at,
                                  time, key, known_at, value)
        SELECT ${instrument}, ${timeframe}, ${source}, ${quantity}, ${arrival.collectionId}::bigint,
               to_timestamp(${arrival.arrivedAt / 1000}::float8), to_timestamp(t / 1000), k,
               to_timestamp(a / 1000), v
        FROM unnest(${fresh.map(({ time }) => time)}::float8[],
                    ${fresh.map(({ key }) => key ?? '')}::text[],
                    ${fresh.map(({ knownAt }) => knownAt)}::float8[],
                    ${fresh.map(({ value }) => value)}::float8[]) AS incoming (t, k, a, v)`.execute(
        trx,
      );
      added += fresh.length;
    }
    return added;
  });
}

interface PointRecord {
  readonly quantity: string;
  readonly time: number;
  readonly key: string;
  readonly knownAt: number;
  readonly value: number;
}

/** Points of a series by quantity: those known at `asOf`, of `since` or later times (ms UTC; default: all). */
export async function readPoints(
  db: Db,
  { instrument, timeframe, source }: BarSeries,
  range: {
    readonly quantity?: string;
    readonly asOf?: number | undefined;
    readonly since?: number | undefined;
  } = {},
): Promise<Record<string, SeriesPoint[]>> {
  const { quantity, asOf, since } = range;
  const of = quantity === undefined ? sql`TRUE` : sql`quantity = ${quantity}`;
  const known =
    asOf === undefined ? sql`TRUE` : sql`known_at <= to_timestamp(${asOf / 1000}::float8)`;
  const from =
    since === undefined ? sql`TRUE` : sql`"time" >= to_timestamp(${since / 1000}::float8)`;
  const { rows } = await sql<PointRecord>`
    SELECT quantity, key, value,
           (extract(epoch FROM "time") * 1000)::float8 AS "time",
           (extract(epoch FROM known_at) * 1000)::float8 AS "knownAt"
    FROM series_point
    WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ${source}
      AND ${of} AND ${known} AND ${from}
    ORDER BY quantity, known_at, "time", key`.execute(db);
  const found: Record<string, SeriesPoint[]> = {};
  for (const { quantity: name, time, key, knownAt, value } of rows) {
    (found[name] ??= []).push({ time, knownAt, value, ...(key !== '' && { key }) });
  }
  return found;
}

/** How many values of a series are stored, revisions included, and the newest of their times (ms UTC). */
export async function summarizePoints(
  db: Db,
  { instrument, timeframe, source }: BarSeries,
): Promise<{ readonly rows: number; readonly newest: number | undefined }> {
  const { rows } = await sql<{ rows: number; newest: number | null }>`
    SELECT count(*)::int AS rows, (extract(epoch FROM max("time")) * 1000)::float8 AS newest
    FROM series_point
    WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ${source}`.execute(
    db,
  );
  return { rows: rows[0]!.rows, newest: rows[0]!.newest ?? undefined };
}
