import { sql, type Kysely, type Selectable } from 'kysely';
import type { Database, ResultTable } from './tables.ts';

export type ResultRow = Selectable<ResultTable>;

/** A computation that was accepted. */
export interface PendingResult {
  readonly id: string;
  readonly keyId: string;
  readonly model: string;
  readonly replicaId: string;
  /** Of the process: a restart has another one. */
  readonly incarnation: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** What came of it. */
export interface ResultOutcome {
  readonly status: 'done' | 'failed';
  readonly contentType: string;
  /** The answer as text; of `failed` the problem as JSON. */
  readonly body: string;
}

const rowOf = (result: PendingResult) => ({
  id: result.id,
  key_id: result.keyId,
  model: result.model,
  replica_id: result.replicaId,
  incarnation: result.incarnation,
  created_at: result.createdAt,
  expires_at: result.expiresAt,
});

/** Says that a result will come. Doing it twice changes nothing. */
export async function announceResult(db: Kysely<Database>, result: PendingResult): Promise<void> {
  const values = { ...rowOf(result), status: 'pending' as const, content_type: null, body: null };
  await db
    .insertInto('result')
    .values(values)
    .onConflict((oc) => oc.column('id').doNothing())
    .execute();
}

/** Stores what came of it, also where its announcement was not stored. */
export async function storeResult(
  db: Kysely<Database>,
  result: PendingResult,
  { status, contentType, body }: ResultOutcome,
): Promise<void> {
  const outcome = { status, content_type: contentType, body, expires_at: result.expiresAt };
  await db
    .insertInto('result')
    .values({ ...rowOf(result), ...outcome })
    .onConflict((oc) => oc.column('id').doUpdateSet(outcome))
    .execute();
}

/**
 * A lease that ended this long ago was not only late: right after an outage of the database all are late.
 * A graceful stop says of each pending result that it is lost, so nobody waits for this then.
 */
const GONE_AFTER_S = 30;

export interface FoundResult extends ResultRow {
  /** The process that computes it has a lease, or had one until just now. */
  readonly replica_is_live: boolean;
}

/** A result that has not expired at `now`. */
export async function findResult(
  db: Kysely<Database>,
  id: string,
  now: Date,
): Promise<FoundResult | undefined> {
  const limit = sql`clock_timestamp() - make_interval(secs => ${GONE_AFTER_S})`;
  return db
    .selectFrom('result')
    .leftJoin('replica', 'replica.id', 'result.replica_id')
    .selectAll('result')
    .select(sql<boolean>`coalesce(replica.expires_at > ${limit}, false)`.as('replica_is_live'))
    .where('result.id', '=', id)
    .where('result.expires_at', '>', now)
    .executeTakeFirst();
}

/** What other runs of this replica left pending is lost: says so. Returns how many. */
export async function loseFormerResults(
  db: Kysely<Database>,
  replica: { readonly id: string; readonly incarnation: string },
  body: string,
): Promise<number> {
  const result = await db
    .updateTable('result')
    .set({ status: 'failed', content_type: 'application/problem+json', body })
    .where('replica_id', '=', replica.id)
    .where('incarnation', '<>', replica.incarnation)
    .where('status', '=', 'pending')
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/** Forgets what has expired at `now`; returns how many. */
export async function forgetExpiredResults(db: Kysely<Database>, now: Date): Promise<number> {
  const result = await db.deleteFrom('result').where('expires_at', '<=', now).executeTakeFirst();
  return Number(result.numDeletedRows);
}
