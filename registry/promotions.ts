import { sql, type Kysely, type Selectable } from 'kysely';
import { recordAudit } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import { ensureState, frozenReason } from './lifecycle-state.ts';
import { getModel } from './models.ts';
import { enqueueOutbox } from './outbox.ts';
import { tellOfSwitch } from './promotion-story.ts';
import { liveReplicas } from './replicas.ts';
import type { Database, PromotionTable } from './tables.ts';

/** NOTIFY channel: a hint that a generation changed or an intent stands. The poll is the truth. */
export const PROMOTION_CHANNEL = 'ratchet_promotion';

/**
 * An intent that is still open after this long has lost its workflow: replicas get half a minute, and
 * one promotion a model runs at a time. Without a limit it would bar the model's promotions for good.
 */
const ABANDONED_AFTER = sql`interval '10 minutes'`;

export type Promotion = Selectable<PromotionTable>;

export interface PromotionIntent {
  readonly promotionId: string;
  readonly model: string;
  readonly version: number;
  readonly actor: string;
  readonly reason: string;
  /** Generation the decision was made on. */
  readonly expectedGeneration: number;
  readonly kind?: Promotion['kind'] | undefined;
}

export interface PromotionConflict {
  readonly status: 'conflict';
  readonly reason: string;
}
export type IntentResult =
  { readonly status: 'announced'; readonly replicas: number } | PromotionConflict;
export type SwitchResult =
  { readonly status: 'promoted'; readonly generation: number } | PromotionConflict;

const conflict = (reason: string): PromotionConflict => ({
  status: 'conflict',
  reason,
});

/**
 * Writes the intent to promote. It stands only while the model is still on `expectedGeneration`, the
 * version is registered, no other intent is open, and the model is not frozen, unless a person asks; else the row says `conflict` and why. An open
 * intent whose workflow was lost (terminated, or gone with Temporal's store) is withdrawn first.
 * Repeating it with the same id gives the same answer.
 */
export async function announcePromotion(db: Db, input: PromotionIntent): Promise<IntentResult> {
  return inTransaction(db, async (trx) => {
    const state = await lockState(trx, input.model);
    const earlier = await promotionById(trx, input.promotionId);
    if (earlier) {
      if (earlier.status === 'announced' || earlier.status === 'promoted') return announced(trx);
      return conflict(earlier.outcome ?? `the promotion was ${earlier.status}`);
    }
    const refusal =
      state === undefined
        ? `there is no model ${input.model}`
        : (frozenFor(input, state) ?? (await refusalOf(trx, input, state.generation)));
    await trx
      .insertInto('promotion')
      .values({
        id: input.promotionId,
        model: input.model,
        version: input.version,
        expected_generation: input.expectedGeneration,
        status: refusal === undefined ? 'announced' : 'conflict',
        actor: input.actor,
        reason: input.reason,
        kind: input.kind ?? 'promote',
        outcome: refusal ?? null,
        finished_at: refusal === undefined ? null : sql<Date>`clock_timestamp()`,
      })
      .execute();
    if (refusal !== undefined) return conflict(refusal);
    await notify(trx, input.model);
    return announced(trx);
  });
}

async function announced(trx: Trx): Promise<IntentResult> {
  return { status: 'announced', replicas: (await liveReplicas(trx)).length };
}

interface LockedState {
  readonly generation: number;
  /** Why it is frozen; null: it is not. */
  readonly frozen: string | null;
}

/** Row lock on the model's state: announcements, switches and freezes of one model stand in a queue. */
async function lockState(trx: Trx, model: string): Promise<LockedState | undefined> {
  if (!(await getModel(trx, model))) return undefined;
  await ensureState(trx, model);
  const state = await trx
    .selectFrom('model_state')
    .select(['generation', 'frozen', 'frozen_reason'])
    .where('model', '=', model)
    .forUpdate()
    .executeTakeFirstOrThrow();
  // It may have been retired while this waited for the lock.
  if (!(await getModel(trx, model))) return undefined;
  return { generation: state.generation, frozen: frozenReason(state) };
}

/** The actor of promotions that nobody asked for. */
const BY_ITSELF = 'policy';

/** A frozen model is promoted by hand only. */
const frozenFor = (
  { actor, version }: Pick<PromotionIntent, 'actor' | 'version'>,
  { frozen }: LockedState,
): string | undefined =>
  frozen === null || actor !== BY_ITSELF
    ? undefined
    : `the model is frozen (${frozen}): promote version ${version} by hand, or unfreeze it first`;

async function refusalOf(
  trx: Trx,
  input: PromotionIntent,
  generation: number,
): Promise<string | undefined> {
  if (generation !== input.expectedGeneration) {
    return `the model is at generation ${generation}, the decision was made at ${input.expectedGeneration}`;
  }
  const version = await trx
    .selectFrom('model_version')
    .select('status')
    .where('model', '=', input.model)
    .where('version', '=', input.version)
    .executeTakeFirst();
  if (version?.status !== 'registered') {
    return `version ${input.version} of ${input.model} is ${version?.status ?? 'unknown'}`;
  }
  const open = await trx
    .selectFrom('promotion')
    .select(['id', 'version'])
    .select(sql<boolean>`created_at < clock_timestamp() - ${ABANDONED_AFTER}`.as('abandoned'))
    .where('model', '=', input.model)
    .where('status', '=', 'announced')
    .executeTakeFirst();
  if (open?.abandoned === true) {
    await finish(trx, open.id, 'withdrawn', `abandoned; ${input.promotionId} took its place`);
    return undefined;
  }
  return open && `promotion ${open.id} of version ${open.version} is already under way`;
}

export async function promotionById(db: Db, id: string): Promise<Promotion | undefined> {
  return db.selectFrom('promotion').selectAll().where('id', '=', id).executeTakeFirst();
}

/** The promotion of a model that is under way; one whose workflow was lost long ago bars nothing. */
export async function openPromotion(db: Db, model: string): Promise<Promotion | undefined> {
  return db
    .selectFrom('promotion')
    .selectAll()
    .where('model', '=', model)
    .where('status', '=', 'announced')
    .where(sql<boolean>`created_at >= clock_timestamp() - ${ABANDONED_AFTER}`)
    .executeTakeFirst();
}

/** The newest promotion of a model, whatever became of it. */
export async function latestPromotion(db: Db, model: string): Promise<Promotion | undefined> {
  return db
    .selectFrom('promotion')
    .selectAll()
    .where('model', '=', model)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/**
 * The switch, one transaction: champion history, generation + 1, audit, outbox, NOTIFY. Repeating it
 * after success returns the same generation. Anything else than a standing intent on the expected
 * generation is a conflict, and the row says so.
 */
export async function switchChampion(
  db: Kysely<Database>,
  promotionId: string,
): Promise<SwitchResult> {
  return inTransaction(db, async (trx) => {
    const named = await promotionById(trx, promotionId);
    if (!named) return conflict(`there is no promotion ${promotionId}`);
    // The model's row first, then the promotion's: the same order as in announcePromotion.
    const state = await lockState(trx, named.model);
    const promotion = (await promotionById(trx, promotionId))!;
    if (promotion.status === 'promoted') return alreadyPromoted(trx, promotionId);
    if (promotion.status !== 'announced') {
      return conflict(promotion.outcome ?? `the promotion was ${promotion.status}`);
    }
    const { expected_generation: expected } = promotion;
    const refusal =
      state?.generation === expected
        ? frozenFor(promotion, state)
        : `the model moved on to generation ${state?.generation ?? 'none (retired)'}`;
    if (refusal === undefined) return commitSwitch(trx, promotion, expected + 1);
    await finish(trx, promotionId, 'conflict', refusal);
    return conflict(refusal);
  });
}

async function alreadyPromoted(trx: Trx, promotionId: string): Promise<SwitchResult> {
  const row = await trx
    .selectFrom('champion')
    .select('generation')
    .where('promotion_id', '=', promotionId)
    .executeTakeFirstOrThrow();
  return { status: 'promoted', generation: row.generation };
}

async function commitSwitch(
  trx: Trx,
  promotion: Promotion,
  generation: number,
): Promise<SwitchResult> {
  const { model, version, actor, reason } = promotion;
  // Read after the lock: a start-of-transaction time could lie before the former champion's.
  const { at } = await trx
    .selectNoFrom(sql<Date>`clock_timestamp()`.as('at'))
    .executeTakeFirstOrThrow();
  const before = await trx
    .updateTable('champion')
    .set({ valid_to: at })
    .where('model', '=', model)
    .where('valid_to', 'is', null)
    .returning(['version', 'generation'])
    .executeTakeFirst();
  await trx
    .insertInto('champion')
    .values({
      model,
      version,
      generation,
      valid_from: at,
      promotion_id: promotion.id,
      actor,
      reason,
    })
    .execute();
  await trx
    .updateTable('model_state')
    .set({ generation, champion_version: version, changed_at: at })
    .where('model', '=', model)
    .execute();
  await finish(trx, promotion.id, 'promoted', `generation ${generation}`);
  await recordAudit(trx, {
    actor,
    action: 'champion.switch',
    object: `model/${model}`,
    before: before ?? null,
    after: { version, generation, promotionId: promotion.id, reason },
    workflowId: `promote/${model}`,
  });
  await tellOfSwitch(trx, promotion, { generation, former: before?.version ?? null });
  await enqueueOutbox(trx, { kind: 'champion-changed', model, version, generation });
  await notify(trx, model);
  return { status: 'promoted', generation };
}

/** Takes an intent back before the switch; after a switch, or when it is gone already, nothing happens. */
export async function withdrawPromotion(
  db: Db,
  withdrawal: { readonly promotionId: string; readonly reason: string },
): Promise<void> {
  await finish(db, withdrawal.promotionId, 'withdrawn', withdrawal.reason);
}

async function finish(
  db: Db,
  id: string,
  status: 'promoted' | 'withdrawn' | 'conflict',
  outcome: string,
): Promise<void> {
  await db
    .updateTable('promotion')
    .set({ status, outcome, finished_at: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('status', '=', 'announced')
    .execute();
}

async function notify(trx: Trx, model: string): Promise<void> {
  await sql`select pg_notify(${PROMOTION_CHANNEL}, ${model})`.execute(trx);
}
