import type { Kysely, Transaction } from 'kysely';
import type { Database } from './tables.ts';

/** A database, or a transaction that the caller already holds. */
export type Db = Kysely<Database>;
export type Trx = Transaction<Database>;

/** Runs `work` in the caller's transaction, or in one of its own. */
export function inTransaction<T>(db: Db, work: (trx: Trx) => Promise<T>): Promise<T> {
  if (db.isTransaction) return work(db as Trx);
  return db.transaction().execute(work);
}
