import { sql, type Selectable } from 'kysely';
import type { Alert, AlertPayload } from '../core/alerts/index.ts';
import { RatchetError } from '../core/errors.ts';
import { PAGE_MAX } from './audit.ts';
import type { Db } from './in-transaction.ts';
import type { AlertDeliveryTable, AlertTable } from './tables.ts';

export type AlertDelivery = Selectable<AlertDeliveryTable>;
export type DeliveryStatus = AlertDelivery['status'];

/** A stored alert. */
export interface AlertRow extends Alert {
  readonly createdAt: Date;
}

/** Longest sentence kept of a failed attempt. */
const ERROR_MAX_CHARS = 500;

/** Writes an alert once; false when it is there already, from an earlier attempt. */
export async function recordAlert(db: Db, alert: Alert): Promise<boolean> {
  const result = await db
    .insertInto('alert')
    .values({
      id: alert.id,
      event: alert.event,
      model: alert.model,
      as_of: alert.asOf,
      payload: JSON.stringify(alert.payload),
    })
    .onConflict((oc) => oc.column('id').doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

const row = (r: Selectable<AlertTable>): AlertRow => ({
  id: r.id,
  event: r.event as AlertRow['event'],
  model: r.model,
  asOf: r.as_of === null ? null : r.as_of.toISOString(),
  payload: r.payload as unknown as AlertPayload,
  createdAt: r.created_at,
});

/** Throws `alert.unknown`. */
export async function getAlertOrThrow(db: Db, id: string): Promise<AlertRow> {
  const found = await db.selectFrom('alert').selectAll().where('id', '=', id).executeTakeFirst();
  if (found) return row(found);
  throw new RatchetError('alert.unknown', `There is no alert ${id.slice(0, 64)}.`);
}

/** One pending delivery a webhook; those that are there stay as they are. */
export async function openDeliveries(
  db: Db,
  alertId: string,
  webhooks: readonly string[],
): Promise<void> {
  if (webhooks.length === 0) return;
  await db
    .insertInto('alert_delivery')
    .values(webhooks.map((webhook) => ({ alert_id: alertId, webhook, status: 'pending' as const })))
    .onConflict((oc) => oc.columns(['alert_id', 'webhook']).doNothing())
    .execute();
}

/** Undefined: that webhook was never meant to have this alert. */
export function findDelivery(
  db: Db,
  alertId: string,
  webhook: string,
): Promise<AlertDelivery | undefined> {
  return db
    .selectFrom('alert_delivery')
    .selectAll()
    .where('alert_id', '=', alertId)
    .where('webhook', '=', webhook)
    .executeTakeFirst();
}

/** Says how an attempt went. What was delivered stays delivered, whatever a late attempt reports. */
export async function recordAttempt(
  db: Db,
  attempt: {
    readonly alertId: string;
    readonly webhook: string;
    readonly status: DeliveryStatus;
    readonly error: string | null;
  },
): Promise<void> {
  const { alertId, webhook, status, error } = attempt;
  await db
    .updateTable('alert_delivery')
    .set({
      status,
      attempts: sql<number>`attempts + 1`,
      last_error: error === null ? null : error.slice(0, ERROR_MAX_CHARS),
      delivered_at: status === 'delivered' ? sql<Date>`clock_timestamp()` : null,
    })
    .where('alert_id', '=', alertId)
    .where('webhook', '=', webhook)
    .where('status', '!=', 'delivered')
    .execute();
}

export interface AlertWithDeliveries extends AlertRow {
  readonly deliveries: readonly AlertDelivery[];
}

export interface AlertQuery {
  readonly limit: number;
  /** Id of the last alert of the page before. */
  readonly before?: string | undefined;
  readonly model?: string | undefined;
  readonly event?: string | undefined;
  /** Only of these models; absent: all, and those of no model. */
  readonly models?: readonly string[] | undefined;
}

/** Newest first. */
export async function listAlerts(db: Db, query: AlertQuery): Promise<AlertWithDeliveries[]> {
  const { limit, before, model, event, models } = query;
  const rows = await db
    .selectFrom('alert')
    .selectAll()
    .$if(before !== undefined, (q) =>
      q.where(
        sql<boolean>`(created_at, id) < (SELECT a.created_at, a.id FROM alert a WHERE a.id = ${before})`,
      ),
    )
    .$if(model !== undefined, (q) => q.where('model', '=', model ?? ''))
    .$if(event !== undefined, (q) => q.where('event', '=', event ?? ''))
    .$if(models !== undefined, (q) => q.where('model', 'in', [...(models ?? [])]))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(Math.min(limit, PAGE_MAX))
    .execute();
  return withDeliveries(db, rows.map(row));
}

/** Throws `alert.unknown`. */
export async function alertWithDeliveries(db: Db, id: string): Promise<AlertWithDeliveries> {
  const [found] = await withDeliveries(db, [await getAlertOrThrow(db, id)]);
  return found!;
}

async function withDeliveries(db: Db, alerts: AlertRow[]): Promise<AlertWithDeliveries[]> {
  if (alerts.length === 0) return [];
  const ids = alerts.map(({ id }) => id);
  const deliveries = await db
    .selectFrom('alert_delivery')
    .selectAll()
    .where('alert_id', 'in', ids)
    .orderBy('webhook')
    .execute();
  return alerts.map((alert) => ({
    ...alert,
    deliveries: deliveries.filter(({ alert_id }) => alert_id === alert.id),
  }));
}
