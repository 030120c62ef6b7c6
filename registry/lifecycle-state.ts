import { sql, type Selectable } from 'kysely';
import { recordAudit } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import { appendLifecycleEvent } from './lifecycle-events.ts';
import type { ExplanationTable, ModelStateTable } from './tables.ts';

export type ModelState = Selectable<ModelStateTable>;
export type Explanation = Selectable<ExplanationTable>;

/** What the lifecycle decides on; undefined before the model's first promotion or freeze. */
export function lifecycleState(db: Db, model: string): Promise<ModelState | undefined> {
  return db.selectFrom('model_state').selectAll().where('model', '=', model).executeTakeFirst();
}

/** The newest look of the lifecycle at a model, in words. */
export function explanationOf(db: Db, model: string): Promise<Explanation | undefined> {
  return db.selectFrom('explanation').selectAll().where('model', '=', model).executeTakeFirst();
}

/** Replaces the explanation; an older market time never replaces a newer one. */
export async function writeExplanation(
  db: Db,
  input: {
    readonly model: string;
    readonly asOf: Date | null;
    readonly state: string;
    readonly sentences: readonly string[];
    readonly details: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  const values = {
    as_of: input.asOf,
    written_at: sql<Date>`clock_timestamp()`,
    state: input.state,
    sentences: JSON.stringify(input.sentences),
    details: JSON.stringify(input.details),
  };
  await db
    .insertInto('explanation')
    .values({ model: input.model, ...values })
    .onConflict((oc) =>
      oc
        .column('model')
        .doUpdateSet({ ...values, as_of: sql<Date>`greatest(explanation.as_of, ${input.asOf})` }),
    )
    .execute();
}

/** Market time up to which everything known was settled; null before the first settling. */
export async function settledAsOf(db: Db | Trx, model: string): Promise<Date | null> {
  const row = await db
    .selectFrom('model_state')
    .select('settled_as_of')
    .where('model', '=', model)
    .executeTakeFirst();
  return row?.settled_as_of ?? null;
}

/** Moves it forward, never back. */
export async function advanceSettledAsOf(db: Db, model: string, asOf: Date): Promise<void> {
  await db
    .updateTable('model_state')
    .set({ settled_as_of: asOf })
    .where('model', '=', model)
    .where((eb) => eb.or([eb('settled_as_of', 'is', null), eb('settled_as_of', '<', asOf)]))
    .execute();
}

/** Why a model is frozen; null: it is not. */
export const frozenReason = (
  state: Pick<ModelState, 'frozen' | 'frozen_reason'> | undefined,
): string | null => (state?.frozen === true ? (state.frozen_reason ?? 'no reason given') : null);

export interface FreezeChange {
  readonly model: string;
  readonly frozen: boolean;
  readonly actor: string;
  readonly reason: string;
  /** Names the request: repeated, it changes nothing. */
  readonly requestKey: string;
}

/** Freezes or unfreezes a model with audit and story; true when that changed something. */
export function setFrozen(db: Db, change: FreezeChange): Promise<boolean> {
  const { model, frozen, actor, reason } = change;
  return inTransaction(db, async (trx) => {
    await ensureState(trx, model);
    const changed = await trx
      .updateTable('model_state')
      .set({ frozen, frozen_reason: frozen ? reason : null })
      .where('model', '=', model)
      .where('frozen', '=', !frozen)
      .returning('model')
      .executeTakeFirst();
    if (!changed) return false;
    const kind = frozen ? ('model.frozen' as const) : ('model.unfrozen' as const);
    await recordAudit(trx, {
      actor,
      action: kind,
      object: `model/${model}`,
      after: { frozen, reason },
      workflowId: `lifecycle/${model}`,
    });
    await appendLifecycleEvent(trx, {
      model,
      asOf: null,
      kind,
      actor,
      words: frozen ? `Frozen: ${reason}` : `Unfrozen: ${reason}`,
      dedupeKey: `${kind}/${change.requestKey}`,
    });
    return true;
  });
}

/** The row that its lifecycle writes to, from before the first promotion on. */
export async function ensureState(db: Db | Trx, model: string): Promise<void> {
  await db
    .insertInto('model_state')
    .values({
      model,
      generation: 0,
      champion_version: null,
      changed_at: sql<Date>`clock_timestamp()`,
    })
    .onConflict((oc) => oc.column('model').doNothing())
    .execute();
}
