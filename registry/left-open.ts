/** Rows that name a workflow and have not ended. */
import { sql } from 'kysely';
import type { Db } from './in-transaction.ts';
import type { Database } from './tables.ts';

export interface OpenRuns {
  readonly table: keyof Database &
    ('experiment' | 'backtest' | 'batch_prediction' | 'version_evaluation' | 'parity_report');
  /** `queued`: no workflow has begun it. */
  readonly status: 'queued' | 'running';
  /** Only those that were asked for before. */
  readonly before: Date;
  readonly limit: number;
}

/** Ids of runs that have not ended, those first that were asked for first. */
export async function leftOpen(
  db: Db,
  { table, status, before, limit }: OpenRuns,
): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM ${sql.table(table)} WHERE status = ${status} AND created_at < ${before}
    ORDER BY created_at, id LIMIT ${limit}`.execute(db);
  return rows.map(({ id }) => id);
}
