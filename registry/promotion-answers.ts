import type { Db } from './in-transaction.ts';
import { replicasToAwait } from './replicas.ts';

/** One announced promotion: what replicas prepare for. */
export interface OpenPromotion {
  readonly id: string;
  readonly model: string;
  readonly version: number;
}

/** Intents that this replica has not answered yet. */
export async function unansweredPromotions(db: Db, replicaId: string): Promise<OpenPromotion[]> {
  return db
    .selectFrom('promotion')
    .leftJoin('promotion_answer', (join) =>
      join
        .onRef('promotion_answer.promotion_id', '=', 'promotion.id')
        .on('promotion_answer.replica_id', '=', replicaId),
    )
    .where('promotion.status', '=', 'announced')
    .where('promotion_answer.promotion_id', 'is', null)
    .select(['promotion.id', 'promotion.model', 'promotion.version'])
    .execute();
}

/** Says whether this replica can serve the announced version. The first answer of a replica counts. */
export async function answerPromotion(
  db: Db,
  answer: {
    readonly promotionId: string;
    readonly replicaId: string;
    readonly ok: boolean;
    readonly error: string | null;
  },
): Promise<void> {
  await db
    .insertInto('promotion_answer')
    .values({
      promotion_id: answer.promotionId,
      replica_id: answer.replicaId,
      ok: answer.ok,
      error: answer.error,
    })
    .onConflict((oc) => oc.columns(['promotion_id', 'replica_id']).doNothing())
    .execute();
}

export type ReplicaReadiness =
  | { readonly status: 'ready'; readonly replicas: number }
  | { readonly status: 'waiting'; readonly missing: readonly string[] }
  | { readonly status: 'failed'; readonly reason: string };

/**
 * One look at the answers to an intent: ready once every replica with a live lease answered ok (no live
 * replica: at once), failed with the first refusal. A replica whose lease ended is not waited for, except
 * where it could not renew because the database was away.
 */
export async function replicaReadiness(db: Db, promotionId: string): Promise<ReplicaReadiness> {
  const answers = await db
    .selectFrom('promotion_answer')
    .selectAll()
    .where('promotion_id', '=', promotionId)
    .execute();
  const live = await replicasToAwait(db);
  const refused = answers.find((a) => !a.ok && live.some((r) => r.id === a.replica_id));
  if (refused) {
    return {
      status: 'failed',
      reason: `replica ${refused.replica_id} cannot serve the version: ${refused.error ?? 'no reason given'}`,
    };
  }
  const missing = live.filter((r) => !answers.some((a) => a.replica_id === r.id));
  if (missing.length > 0) return { status: 'waiting', missing: missing.map((r) => r.id) };
  return { status: 'ready', replicas: live.length };
}

/**
 * Takes back what a replica answered to open intents before it was started again: the process that
 * proved the package is gone. It is asked anew.
 */
export async function forgetOpenAnswers(db: Db, replicaId: string): Promise<void> {
  await db
    .deleteFrom('promotion_answer')
    .where('replica_id', '=', replicaId)
    .where('promotion_id', 'in', (eb) =>
      eb.selectFrom('promotion').select('id').where('status', '=', 'announced'),
    )
    .execute();
}
