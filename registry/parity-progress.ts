/** How a report of predictions that are computed again gets on, and where they come out otherwise. */
import { sql } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import type { FieldDifference, ParityCause } from '../core/predict/index.ts';
import { PAGE_MAX } from './audit.ts';
import { inTransaction, type Db } from './in-transaction.ts';
import type { ParityCounts, ParityCursor, ParityReport } from './parity.ts';

export interface ParityDifference {
  readonly predictionId: string;
  readonly servedAt: Date;
  readonly version: number;
  readonly instrument: string;
  readonly asOf: Date;
  readonly cause: ParityCause;
  readonly words: string;
  readonly fields: readonly FieldDifference[];
}

/** Differences of a report that are kept in full; all are counted. */
export const DIFFERENCES_KEPT = 10_000;

/** What one page came to. */
export interface ParityProgress {
  readonly cursor: ParityCursor;
  readonly counts: ParityCounts;
  readonly differences: readonly ParityDifference[];
}

/**
 * Moves a running report on, with what was found on the way, in one transaction. Throws `parity.superseded` (not permanent)
 * where it does not stand at `before` any more: another attempt went on, or it ended.
 */
export function advanceParity(
  db: Db,
  before: ParityReport,
  { cursor, counts, differences }: ParityProgress,
): Promise<void> {
  return inTransaction(db, async (trx) => {
    const stood = before.cursor === null ? null : JSON.stringify(before.cursor);
    const { numUpdatedRows } = await trx
      .updateTable('parity_report')
      .set({ cursor: JSON.stringify(cursor), counts: JSON.stringify(counts) })
      .where('id', '=', before.id)
      .where('status', '=', 'running')
      .where(sql<boolean>`cursor IS NOT DISTINCT FROM ${stood}::jsonb`)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) {
      const message = `another attempt replays for the parity report ${before.id}, or it has ended`;
      throw new RatchetError('parity.superseded', message, { permanent: false });
    }
    const first = before.counts.different;
    const kept = differences.slice(0, Math.max(0, DIFFERENCES_KEPT - first));
    if (kept.length === 0) return;
    await trx
      .insertInto('parity_difference')
      .values(kept.map((one, i) => ({ ...rowOf(one), report_id: before.id, n: first + i })))
      .execute();
  });
}

const rowOf = (one: ParityDifference) => ({
  prediction_id: one.predictionId,
  served_at: one.servedAt,
  version: one.version,
  instrument: one.instrument,
  as_of: one.asOf,
  cause: one.cause,
  words: one.words,
  fields: JSON.stringify(one.fields),
});

/** Of a report, in the order in which they were found, from place `from` on. */
export async function listParityDifferences(
  db: Db,
  reportId: string,
  { from, limit }: { readonly from: number; readonly limit: number },
): Promise<(ParityDifference & { readonly n: number })[]> {
  const rows = await db
    .selectFrom('parity_difference')
    .selectAll()
    .where('report_id', '=', reportId)
    .where('n', '>=', from)
    .orderBy('n')
    .limit(Math.min(limit, PAGE_MAX))
    .execute();
  return rows.map((row) => ({
    n: row.n,
    predictionId: row.prediction_id,
    servedAt: row.served_at,
    version: row.version,
    instrument: row.instrument,
    asOf: row.as_of,
    cause: row.cause as ParityCause,
    words: row.words,
    fields: row.fields as readonly FieldDifference[],
  }));
}
