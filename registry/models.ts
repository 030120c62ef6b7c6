import { sql, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import { PAGE_MAX, recordAudit } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import type { RegisteredModelTable } from './tables.ts';

export * from './versions.ts';

export type RegisteredModel = Selectable<RegisteredModelTable>;

export class ModelError extends RatchetError {}

/** Who asks, for the audit. */
export interface Asker {
  readonly actor: string;
  readonly requestId?: string | undefined;
  readonly workflowId?: string | undefined;
}

export interface NewModel {
  readonly name: string;
  /** Its scope: the instruments it answers for. */
  readonly instruments: readonly string[];
  readonly timeframe: string;
  /** Models made by one template share a group. */
  readonly group?: string | undefined;
  readonly description?: string | undefined;
  /** The spec that retrains run. */
  readonly template?: unknown;
}

/** Throws `model.exists`; a retired name comes back with its versions and numbering. */
export function createModel(db: Db, model: NewModel, asker: Asker): Promise<RegisteredModel> {
  return inTransaction(db, async (trx) => {
    const created = await insertModel(trx, model, asker);
    if (created) return created;
    const existing = await lockModel(trx, model.name);
    if (existing?.retired_at == null) {
      throw new ModelError('model.exists', `the model ${model.name} exists`);
    }
    return reviveModel(trx, existing, model, asker);
  });
}

/**
 * Makes sure that a model exists, as an experiment needs it. One that is there stays as it is.
 * Throws `model.scope` when it answers for other instruments or another timeframe.
 */
export function ensureModel(db: Db, model: NewModel, asker: Asker): Promise<RegisteredModel> {
  return inTransaction(db, async (trx) => {
    const created = await insertModel(trx, model, asker);
    if (created) return created;
    const existing = await lockModel(trx, model.name);
    if (!existing) throw unknownModel(model.name);
    if (existing.retired_at !== null) return reviveModel(trx, existing, model, asker);
    const scope = [...existing.instruments].sort().join(', ');
    const asked = [...model.instruments].sort().join(', ');
    if (scope !== asked || existing.timeframe !== model.timeframe) {
      throw new ModelError(
        'model.scope',
        `the model ${model.name} is for ${scope} at ${existing.timeframe}, ` +
          `the spec is for ${asked} at ${model.timeframe}: give it another model name`,
      );
    }
    return existing;
  });
}

async function insertModel(
  trx: Trx,
  model: NewModel,
  asker: Asker,
): Promise<RegisteredModel | undefined> {
  const row = await trx
    .insertInto('registered_model')
    .values({ name: model.name, ...columnsOf(model) })
    .onConflict((oc) => oc.column('name').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) return undefined;
  await trx
    .insertInto('model_state')
    .values({ model: model.name, generation: 0, champion_version: null, changed_at: sql`now()` })
    .execute();
  await recordAudit(trx, {
    ...asker,
    action: 'model.create',
    object: modelObject(row),
    after: row,
  });
  return row;
}

async function reviveModel(
  trx: Trx,
  before: RegisteredModel,
  model: NewModel,
  asker: Asker,
): Promise<RegisteredModel> {
  const after = await trx
    .updateTable('registered_model')
    .set({ ...columnsOf(model), retired_at: null })
    .where('name', '=', model.name)
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordAudit(trx, {
    ...asker,
    action: 'model.create',
    object: modelObject(after),
    before,
    after,
  });
  return after;
}

const columnsOf = (model: NewModel) => ({
  instruments: JSON.stringify(model.instruments),
  timeframe: model.timeframe,
  model_group: model.group ?? null,
  description: model.description ?? '',
  template: model.template == null ? null : JSON.stringify(model.template),
});

export interface ModelChange {
  readonly description?: string | undefined;
  readonly group?: string | null | undefined;
  readonly template?: unknown;
}

/** Changes what may change; the name, the instruments and the timeframe are what it is. */
export function updateModel(
  db: Db,
  name: string,
  change: ModelChange,
  asker: Asker,
): Promise<RegisteredModel> {
  return inTransaction(db, async (trx) => {
    const before = await lockActiveModel(trx, name);
    const template = change.template === undefined ? before.template : change.template;
    const after = await trx
      .updateTable('registered_model')
      .set({
        description: change.description ?? before.description,
        model_group: change.group === undefined ? before.model_group : change.group,
        template: template === null ? null : JSON.stringify(template),
      })
      .where('name', '=', name)
      .returningAll()
      .executeTakeFirstOrThrow();
    await recordAudit(trx, {
      ...asker,
      action: 'model.update',
      object: modelObject(after),
      before,
      after,
    });
    return after;
  });
}

/** A model that is not retired. */
export function getModel(db: Db, name: string): Promise<RegisteredModel | undefined> {
  return db
    .selectFrom('registered_model')
    .selectAll()
    .where('name', '=', name)
    .where('retired_at', 'is', null)
    .executeTakeFirst();
}

export async function getModelOrThrow(db: Db, name: string): Promise<RegisteredModel> {
  const model = await getModel(db, name);
  if (!model) throw unknownModel(name);
  return model;
}

/** Models that are not retired, by name; `after` is the last name of the page before, `among` all that count. */
export function listModels(
  db: Db,
  query: {
    limit: number;
    after?: string | undefined;
    group?: string | undefined;
    among?: readonly string[] | undefined;
  },
): Promise<RegisteredModel[]> {
  let select = db.selectFrom('registered_model').selectAll().where('retired_at', 'is', null);
  if (query.after !== undefined) select = select.where('name', '>', query.after);
  if (query.group !== undefined) select = select.where('model_group', '=', query.group);
  if (query.among !== undefined) select = select.where('name', 'in', query.among);
  return select.orderBy('name').limit(Math.min(query.limit, PAGE_MAX)).execute();
}

function lockModel(trx: Trx, name: string): Promise<RegisteredModel | undefined> {
  return trx
    .selectFrom('registered_model')
    .selectAll()
    .where('name', '=', name)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

/** Locks a model that is not retired; throws `model.unknown`. */
export async function lockActiveModel(trx: Trx, name: string): Promise<RegisteredModel> {
  const model = await lockModel(trx, name);
  if (!model || model.retired_at !== null) throw unknownModel(name);
  return model;
}

/** Locks what a promotion locks too: the champion cannot change before the transaction ends. */
export async function lockModelState(
  trx: Trx,
  model: string,
): Promise<{ generation: number; championVersion: number | null }> {
  const row = await trx
    .selectFrom('model_state')
    .select(['generation', 'champion_version'])
    .where('model', '=', model)
    .forUpdate()
    .executeTakeFirst();
  return { generation: row?.generation ?? 0, championVersion: row?.champion_version ?? null };
}

/** What the audit calls a model. */
export const modelObject = (model: { readonly name: string }): string => `model/${model.name}`;

function unknownModel(name: string): ModelError {
  return new ModelError('model.unknown', `there is no model ${name}`);
}
