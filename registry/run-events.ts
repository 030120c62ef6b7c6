/** Progress of something that runs and ends: rows that are only ever appended. */
import { sql } from 'kysely';
import { PAGE_MAX } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';

/** Where the events of one kind of run lie. */
export interface RunEvents {
  readonly table: 'backtest_event' | 'batch_prediction_event';
  readonly owner: 'backtest_id' | 'batch_prediction_id';
  /** Of its ids, as its workflows have it: writers of one run take turns by it. */
  readonly prefix: string;
}

export interface NewRunEvent<K extends string> {
  readonly kind: K;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Same key, one row: repeats of an activity do not repeat its events. */
  readonly key: string;
}

export interface RunEvent<K extends string> {
  readonly seq: string;
  readonly at: Date;
  readonly kind: K;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Appends one row. Writers of one run take turns, so that `seq` becomes visible in order. */
export async function appendRunEvent<K extends string>(
  db: Db | Trx,
  { table, owner, prefix }: RunEvents,
  id: string,
  { kind, payload, key }: NewRunEvent<K>,
): Promise<void> {
  await inTransaction(db, async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`${prefix}/${id}`}, 0))`.execute(trx);
    await sql`
      INSERT INTO ${sql.table(table)} (${sql.ref(owner)}, kind, payload, dedupe_key)
      VALUES (${id}, ${kind}, ${JSON.stringify(payload)}, ${key})
      ON CONFLICT (${sql.ref(owner)}, dedupe_key) DO NOTHING`.execute(trx);
  });
}

/** Rows after `after` ('0': all) in order. */
export async function readRunEvents<K extends string>(
  db: Db,
  { table, owner }: RunEvents,
  id: string,
  { after = '0', limit = PAGE_MAX }: { readonly after?: string; readonly limit?: number } = {},
): Promise<readonly RunEvent<K>[]> {
  const { rows } = await sql<RunEvent<K>>`
    SELECT seq, at, kind, payload FROM ${sql.table(table)}
    WHERE ${sql.ref(owner)} = ${id} AND seq > ${after}::bigint
    ORDER BY seq LIMIT ${limit}`.execute(db);
  return rows;
}
