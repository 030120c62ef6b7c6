import { sql } from 'kysely';
import { z } from 'zod';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';

/**
 * What the mirror is told. A message names a thing; the mirror reads the facts about it from
 * PostgreSQL when it delivers, so a late or repeated delivery never writes old facts.
 */
export const outboxMessageSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('version-registered'),
    model: z.string(),
    version: z.int().positive(),
  }),
  z.strictObject({
    kind: z.literal('champion-changed'),
    model: z.string(),
    version: z.int().positive(),
    generation: z.int().positive(),
  }),
  z.strictObject({ kind: z.literal('experiment-finished'), experimentId: z.string() }),
]);
export type OutboxMessage = z.infer<typeof outboxMessageSchema>;

/** Longest pause between two deliveries of one entry: MLflow may be down for days. */
const BACKOFF_MAX_S = 300;
/** Any number that nothing else locks. */
const DELIVERY_LOCK = 7_283_442;
const ERROR_MAX_CHARS = 2_000;

/** Names the message: enqueued twice, delivered once. */
export function outboxKey(message: OutboxMessage): string {
  switch (message.kind) {
    case 'version-registered':
      return `version-registered/${message.model}/${message.version}`;
    case 'champion-changed':
      return `champion-changed/${message.model}/${message.generation}`;
    case 'experiment-finished':
      return `experiment-finished/${message.experimentId}`;
  }
}

/** Takes a transaction: the message exists exactly when the change it tells of does. */
export async function enqueueOutbox(trx: Trx, message: OutboxMessage): Promise<void> {
  const { kind, ...payload } = outboxMessageSchema.parse(message);
  await trx
    .insertInto('outbox')
    .values({ kind, key: outboxKey(message), payload: JSON.stringify(payload) })
    .onConflict((oc) => oc.column('key').doNothing())
    .execute();
}

/** Like `enqueueOutbox`, but a message that was delivered is delivered again. */
export async function enqueueAgain(trx: Trx, message: OutboxMessage): Promise<void> {
  await enqueueOutbox(trx, message);
  await trx
    .updateTable('outbox')
    .set({
      done_at: null,
      attempts: 0,
      last_error: null,
      next_attempt_at: sql`now()`,
      // It waits from now on; one that was never delivered waits since it was made.
      created_at: sql<Date>`CASE WHEN done_at IS NULL THEN created_at ELSE now() END`,
    })
    .where('key', '=', outboxKey(message))
    .execute();
}

export interface ClaimedMessage {
  readonly id: string;
  readonly message: OutboxMessage;
  /** Failed deliveries before this one. */
  readonly attempts: number;
}

export type DeliveryResult = 'delivered' | 'failed' | 'empty' | 'busy';

/**
 * Claims the oldest due entry, hands it to `deliver` and records what came of it. The row stays
 * locked meanwhile: when this process dies, another one gets the entry at once. Two deliveries of
 * one entry can overlap only when the connection is lost in the middle of one: `deliver` must be
 * idempotent.
 *
 * One delivery at a time in the whole system: two at once could both look for a thing, not find it,
 * and both create it.
 *
 * @returns `busy` when another process delivers just now; `failed` when `deliver` threw: the entry stays, and is due again after a pause
 */
export function deliverNext(
  db: Db,
  deliver: (claimed: ClaimedMessage) => Promise<void>,
): Promise<DeliveryResult> {
  return inTransaction(db, async (trx) => {
    // The delivery takes as long as the other side does.
    await sql`SET LOCAL idle_in_transaction_session_timeout = 0`.execute(trx);
    const lock = await sql<{ ours: boolean }>`
      SELECT pg_try_advisory_xact_lock(${DELIVERY_LOCK}) AS ours`.execute(trx);
    if (lock.rows[0]?.ours !== true) return 'busy';
    const row = await trx
      .selectFrom('outbox')
      .select(['id', 'kind', 'payload', 'attempts'])
      .where('done_at', 'is', null)
      .where('next_attempt_at', '<=', sql<Date>`clock_timestamp()`)
      .orderBy('next_attempt_at')
      .orderBy('id')
      .limit(1)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (!row) return 'empty';
    try {
      const message = outboxMessageSchema.parse({ kind: row.kind, ...(row.payload as object) });
      await deliver({ id: row.id, message, attempts: row.attempts });
    } catch (error) {
      await recordFailure(trx, row.id, row.attempts, error);
      return 'failed';
    }
    await trx
      .updateTable('outbox')
      .set({ done_at: sql`clock_timestamp()`, last_error: null })
      .where('id', '=', row.id)
      .execute();
    return 'delivered';
  });
}

/** 1, 2, 4, ... seconds, at most 5 minutes. */
export function backoffSeconds(failures: number): number {
  return Math.min(2 ** Math.min(failures, 20), BACKOFF_MAX_S);
}

async function recordFailure(trx: Trx, id: string, before: number, error: unknown): Promise<void> {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  await trx
    .updateTable('outbox')
    .set({
      attempts: before + 1,
      last_error: text.slice(0, ERROR_MAX_CHARS),
      next_attempt_at: sql`clock_timestamp() + make_interval(secs => ${backoffSeconds(before)})`,
    })
    .where('id', '=', id)
    .execute();
}

export interface OutboxState {
  readonly open: number;
  readonly oldestOpen: Date | null;
  readonly lastError: string | null;
}

/** For `status` and metrics: how far the mirror is behind, and why. */
export async function outboxState(db: Db): Promise<OutboxState> {
  const row = await db
    .selectFrom('outbox')
    .select([
      sql<number>`count(*)::int`.as('open'),
      sql<Date | null>`min(created_at)`.as('oldest'),
      sql<string | null>`(array_agg(last_error ORDER BY id DESC)
        FILTER (WHERE last_error IS NOT NULL))[1]`.as('error'),
    ])
    .where('done_at', 'is', null)
    .executeTakeFirstOrThrow();
  return { open: row.open, oldestOpen: row.oldest, lastError: row.error };
}
