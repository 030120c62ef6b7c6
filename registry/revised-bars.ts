import { sql } from 'kysely';
import type { Timeframe } from '../core/bars/bars.ts';
import type { Db } from './in-transaction.ts';
import type { ServedSource } from './served-bars.ts';

/** Bars that are not as they were known first. */
export interface RevisedBars {
  readonly instrument: string;
  /** How many, of any source. */
  readonly bars: number;
  /** Largest change of a close from its first revision to its last, a share of the first. */
  readonly closeBy: number;
}

export interface RevisedSpan {
  /** Open times, both inclusive, ms UTC. */
  readonly from: number;
  readonly to: number;
  /** Only revisions that were known by then, ms UTC. */
  readonly by: number;
}

/** Bars of an instrument that open in the span and were revised after they were known first. */
export async function revisedBars(
  db: Db,
  instrument: string,
  timeframe: Timeframe,
  sources: readonly ServedSource[],
  { from, to, by }: RevisedSpan,
): Promise<RevisedBars> {
  const names = sources.filter(({ columns }) => !columns).map(({ source }) => source);
  const { rows } = await sql<{ readonly bars: number; readonly closeBy: number }>`
    SELECT count(DISTINCT open_time)::int AS bars,
           coalesce(max(abs(last / nullif(first, 0) - 1)), 0)::float8 AS "closeBy"
    FROM (
      SELECT open_time, (array_agg(close ORDER BY revision))[1] AS first,
             (array_agg(close ORDER BY revision DESC))[1] AS last
      FROM bar
      WHERE instrument = ${instrument} AND timeframe = ${timeframe} AND source = ANY(${names})
        AND open_time BETWEEN to_timestamp(${from / 1000}::float8) AND to_timestamp(${to / 1000}::float8)
        AND known_at <= to_timestamp(${by / 1000}::float8)
      GROUP BY source, open_time
      HAVING count(*) > 1 AND max(known_at) > min(known_at)
    ) AS revised`.execute(db);
  const { bars = 0, closeBy = 0 } = rows[0] ?? {};
  return { instrument, bars, closeBy };
}
