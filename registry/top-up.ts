/** What stored bars reach to, for those who keep them up to date. */
import { sql } from 'kysely';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import type { BarSeries } from './bars.ts';
import { currentChampion } from './champions.ts';
import type { Db } from './in-transaction.ts';
import { settledVersions } from './settling.ts';
import { runningTrial } from './trials.ts';

/** A version whose bars are brought up to date: instruments and the data of its spec. */
export interface LiveVersion {
  readonly version: number;
  readonly instruments: readonly string[];
  readonly data: ExperimentSpec['data'];
}

/** The versions of a model that forecast now: champion, and what a trial compares it with. Champion first. */
export async function liveVersions(db: Db, model: string): Promise<LiveVersion[]> {
  const [champion, trial] = await Promise.all([
    currentChampion(db, model),
    runningTrial(db, model),
  ]);
  const numbers = [champion?.version, trial?.version].filter((version) => version !== undefined);
  return dataOfVersions(db, model, numbers);
}

/** What some versions of a model read, in their order. */
export async function dataOfVersions(
  db: Db,
  model: string,
  numbers: readonly number[],
): Promise<LiveVersion[]> {
  const found = await settledVersions(db, model, [...new Set(numbers)]);
  return numbers.flatMap((number) => {
    const row = found.find(({ version }) => version === number);
    return row ? [{ version: number, instruments: row.instruments, data: row.spec.data }] : [];
  });
}

/** Open time (ms UTC) of a series' newest bar known at `asOf`; absent `asOf`: of all; undefined: none. */
export async function newestBar(
  db: Db,
  { instrument, timeframe, source }: BarSeries,
  asOf?: number,
): Promise<number | undefined> {
  const known =
    asOf === undefined ? sql`TRUE` : sql`known_at <= to_timestamp(${asOf / 1000}::float8)`;
  const { rows } = await sql<{ openTime: number }>`
    SELECT (extract(epoch FROM bar.open_time) * 1000)::float8 AS "openTime"
    FROM bar
    WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ${source}
      AND ${known}
    ORDER BY bar.open_time DESC LIMIT 1`.execute(db);
  return rows[0]?.openTime;
}

/** Newest bar of any of the instruments known at `asOf`, whoever delivered it (ms UTC); undefined: none. */
export async function newestBarOf(
  db: Db,
  instruments: readonly string[],
  timeframe: BarSeries['timeframe'],
  asOf: number,
): Promise<number | undefined> {
  const series = await db
    .selectFrom('collection')
    .select(['instrument', 'source'])
    .distinct()
    .where('instrument', 'in', [...instruments])
    .where('timeframe', '=', timeframe)
    .execute();
  const newest = await Promise.all(series.map((one) => newestBar(db, { ...one, timeframe }, asOf)));
  const known = newest.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
