/** What replays of served predictions say of each model now. */
import { sql } from 'kysely';
import type { ParityCause } from '../core/predict/index.ts';
import type { Db } from './in-transaction.ts';

/** A report that ended. */
export interface EndedParity {
  readonly model: string;
  readonly reportId: string;
  readonly status: 'completed' | 'failed';
  /** Why it failed. */
  readonly message: string | null;
  /** Of the Schedule; null: a person asked. */
  readonly slot: Date | null;
  readonly finishedAt: Date;
  readonly replayed: number;
  readonly different: number;
  readonly byCause: Readonly<Partial<Record<ParityCause, number>>>;
}

export interface ParityStanding {
  /** The newest of a Schedule. */
  readonly night: EndedParity | undefined;
  /**
   * The newest that found differences, whoever asked, in the last `TOLD_DAYS`; until a later report that a person asked for,
   * over the time in which they were served, finds none.
   */
  readonly different: EndedParity | undefined;
}

/** So long differences are told: what was found by then is known. */
export const TOLD_DAYS = 31;

/** By model, of all that have a report; `model`: of this one alone. */
export async function parityStandings(
  db: Db,
  model?: string,
): Promise<ReadonlyMap<string, ParityStanding>> {
  const [nights, different] = await Promise.all([
    newestNights(db, model),
    newestDifferent(db, model),
  ]);
  const found = new Map<string, ParityStanding>();
  for (const night of nights) found.set(night.model, { night, different: undefined });
  for (const one of different) {
    found.set(one.model, { night: found.get(one.model)?.night, different: one });
  }
  return found;
}

const ofModel = (model: string | undefined) =>
  model === undefined ? sql`TRUE` : sql`r.model = ${model}`;

const COLUMNS = sql`
  r.model, r.id AS "reportId", r.status, r.message, r.slot, r.finished_at AS "finishedAt",
  coalesce((r.counts ->> 'replayed')::int, 0) AS replayed,
  coalesce((r.counts ->> 'different')::int, 0) AS different,
  coalesce(r.counts -> 'byCause', '{}') AS "byCause"`;

async function newestNights(db: Db, model: string | undefined): Promise<EndedParity[]> {
  const { rows } = await sql<EndedParity>`
    SELECT DISTINCT ON (r.model) ${COLUMNS} FROM parity_report r
    WHERE r.slot IS NOT NULL AND r.finished_at IS NOT NULL AND ${ofModel(model)}
    ORDER BY r.model, r.slot DESC`.execute(db);
  return rows;
}

async function newestDifferent(db: Db, model: string | undefined): Promise<EndedParity[]> {
  const { rows } = await sql<EndedParity>`
    SELECT DISTINCT ON (r.model) ${COLUMNS} FROM parity_report r
    CROSS JOIN LATERAL (
      SELECT min(served_at) AS first, max(served_at) AS last
      FROM parity_difference WHERE report_id = r.id) AS found
    WHERE r.status = 'completed' AND (r.counts ->> 'different')::int > 0
      AND r.finished_at > now() - make_interval(days => ${TOLD_DAYS}) AND ${ofModel(model)}
      AND NOT EXISTS (
        SELECT FROM parity_report later
        WHERE later.model = r.model AND later.id > r.id AND later.status = 'completed'
          AND (later.counts ->> 'different')::int = 0
          -- Of a time nights look at a part only: what was recorded since.
          AND later.recorded_to IS NULL
          AND later.served_from <= found.first AND later.served_to > found.last)
    ORDER BY r.model, r.id DESC`.execute(db);
  return rows;
}
