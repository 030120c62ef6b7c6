import { sql } from 'kysely';
import type { Db } from './in-transaction.ts';

/** Alerts of a model from the last day that no delivery was opened for; older ones are no news any more. */
export async function alertsToSend(db: Db, model: string): Promise<string[]> {
  const rows = await db
    .selectFrom('alert')
    .leftJoin('alert_delivery', 'alert_delivery.alert_id', 'alert.id')
    .where('alert.model', '=', model)
    .where('alert_delivery.alert_id', 'is', null)
    .where(sql<boolean>`alert.created_at > clock_timestamp() - interval '1 day'`)
    .orderBy('alert.created_at')
    .select('alert.id')
    .execute();
  return rows.map(({ id }) => id);
}
