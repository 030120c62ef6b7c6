import { sql, type Kysely, type Transaction } from 'kysely';
import type { Database } from './tables.ts';

/** Keys are kept for two days; callers may rely on 24 hours. */
export const IDEMPOTENCY_HOURS = 48;

export type IdempotencyClaim =
  | { readonly kind: 'new' }
  | { readonly kind: 'repeat'; readonly response: unknown }
  /** Same key, other body. */
  | { readonly kind: 'mismatch' };

/**
 * Claims `key` on `route` inside the transaction that does the work, so that the key and the work
 * become visible together. A second claimant waits for the first one's commit and then repeats it.
 */
export async function claimIdempotencyKey(
  trx: Transaction<Database>,
  claim: { readonly key: string; readonly route: string; readonly bodySha256: string },
): Promise<IdempotencyClaim> {
  const inserted = await trx
    .insertInto('idempotency_key')
    .values({ key: claim.key, route: claim.route, body_sha256: claim.bodySha256, response: null })
    .onConflict((oc) => oc.columns(['route', 'key']).doNothing())
    .returning('key')
    .executeTakeFirst();
  if (inserted) return { kind: 'new' };
  const row = await trx
    .selectFrom('idempotency_key')
    .select(['body_sha256', 'response'])
    .where('route', '=', claim.route)
    .where('key', '=', claim.key)
    .executeTakeFirstOrThrow();
  if (row.body_sha256 !== claim.bodySha256) return { kind: 'mismatch' };
  return { kind: 'repeat', response: row.response };
}

/** Stores what a repeat of the request gets, in the same transaction as the claim. */
export async function storeIdempotentResponse(
  trx: Transaction<Database>,
  claim: { readonly key: string; readonly route: string },
  response: unknown,
): Promise<void> {
  await trx
    .updateTable('idempotency_key')
    .set({ response: JSON.stringify(response) })
    .where('route', '=', claim.route)
    .where('key', '=', claim.key)
    .execute();
}

/** Forgets keys past their time; returns how many. */
export async function forgetOldIdempotencyKeys(db: Kysely<Database>): Promise<number> {
  const result = await db
    .deleteFrom('idempotency_key')
    .where('created_at', '<', sql<Date>`now() - make_interval(hours => ${IDEMPOTENCY_HOURS})`)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
