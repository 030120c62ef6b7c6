import { sql } from 'kysely';
import type { Db } from './in-transaction.ts';

/** A report is kept for more than a year, so that one season can be laid beside the one before. */
export const REPORT_DAYS = 400;
/** What it found in full, up to some 10 MB a report, for a quarter: then only the counts are left. */
export const DIFFERENCE_DAYS = 90;

/**
 * Forgets what is past its time; returns how many reports. The newest completed report of a model's Schedule stays however old:
 * the next night goes on from it.
 */
export async function forgetOldParity(db: Db): Promise<number> {
  await sql`
    DELETE FROM parity_difference USING parity_report r
    WHERE report_id = r.id AND r.finished_at < now() - make_interval(days => ${DIFFERENCE_DAYS})`.execute(
    db,
  );
  const { numAffectedRows } = await sql`
    DELETE FROM parity_report r
    WHERE r.finished_at < now() - make_interval(days => ${REPORT_DAYS})
      AND NOT (r.slot IS NOT NULL AND r.status = 'completed' AND NOT EXISTS (
        SELECT FROM parity_report newer
        WHERE newer.model = r.model AND newer.slot IS NOT NULL AND newer.status = 'completed'
          AND (coalesce(newer.recorded_to, 0), newer.slot) > (coalesce(r.recorded_to, 0), r.slot)))`.execute(
    db,
  );
  return Number(numAffectedRows ?? 0n);
}
