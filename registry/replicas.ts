import { sql, type Kysely, type Selectable } from 'kysely';
import type { Database, ReplicaTable } from './tables.ts';

/** A lease not renewed for this long is over; replicas renew every 2 s, so five renewals may fail. */
export const LEASE_SECONDS = 10;

export type Replica = Selectable<ReplicaTable>;
export type LoadedModels = Replica['loaded'];

/** Writes or renews the lease of one API process. All times are the database's. */
export async function renewLease(
  db: Kysely<Database>,
  replica: { readonly id: string; readonly address: string; readonly loaded: LoadedModels },
): Promise<void> {
  const expires = sql<Date>`clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})`;
  const loaded = JSON.stringify(replica.loaded);
  await db
    .insertInto('replica')
    .values({
      id: replica.id,
      address: replica.address,
      loaded,
      started_at: sql<Date>`clock_timestamp()`,
      expires_at: expires,
    })
    .onConflict((oc) =>
      oc.column('id').doUpdateSet({ address: replica.address, loaded, expires_at: expires }),
    )
    .execute();
}

/** Replicas whose lease is live. */
export async function liveReplicas(db: Kysely<Database>): Promise<Replica[]> {
  return db
    .selectFrom('replica')
    .selectAll()
    .where('expires_at', '>', sql<Date>`clock_timestamp()`)
    .orderBy('id')
    .execute();
}

/**
 * Replicas that a promotion waits for: those with a live lease, and, while the database has just come
 * back, all that it knew: none could renew while it was away, and a promotion that did not wait for them
 * to do so would switch to a package that nobody has proven.
 */
export async function replicasToAwait(db: Kysely<Database>): Promise<Replica[]> {
  const lease = sql`make_interval(secs => ${LEASE_SECONDS})`;
  return db
    .selectFrom('replica')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb('expires_at', '>', sql<Date>`clock_timestamp()`),
        sql<boolean>`pg_postmaster_start_time() > clock_timestamp() - ${lease}`,
      ]),
    )
    .orderBy('id')
    .execute();
}

/** Gives the lease back at a graceful stop, so that no promotion waits for this process. */
export async function dropLease(db: Kysely<Database>, id: string): Promise<void> {
  await db.deleteFrom('replica').where('id', '=', id).execute();
}

/** Forgets leases that ended over an hour ago; returns how many. */
export async function forgetOldReplicas(db: Kysely<Database>): Promise<number> {
  const result = await db
    .deleteFrom('replica')
    .where('expires_at', '<', sql<Date>`clock_timestamp() - interval '1 hour'`)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
