import { sql } from 'kysely';
import { recordAudit } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import { appendLifecycleEvent } from './lifecycle-events.ts';
import {
  lockActiveModel,
  lockModelState,
  lockVersion,
  modelObject,
  ModelError,
  unknownVersion,
  VersionError,
  versionObject,
  type Asker,
} from './models.ts';
import { enqueueAgain, enqueueOutbox } from './outbox.ts';
import { finishRetrain, runningRetrain } from './retrains.ts';
import { endTrial, runningTrial } from './trials.ts';

/**
 * Retires a model: it is listed and served no more; its rows stay (history, audit), unreferenced
 * artifacts go with `gc`. Throws `model.serving` while it has a champion, unless `force`: then the
 * champion's time ends here and the generation moves on, so replicas drop it. Its running trial and retrain
 * end in the rows, and nothing of its lifecycle is left for a model that takes the name again.
 *
 * @returns the experiment of the retrain that was under way: its workflow still has to be stopped
 */
export function retireModel(
  db: Db,
  name: string,
  { force, ...asker }: Asker & { readonly force: boolean },
): Promise<{ readonly experimentId: string | undefined }> {
  return inTransaction(db, async (trx) => {
    const before = await lockActiveModel(trx, name);
    const state = await lockModelState(trx, name);
    if (state.championVersion !== null && !force) {
      throw new ModelError(
        'model.serving',
        `${name} serves version ${state.championVersion}; delete it with force to end that`,
      );
    }
    if (state.championVersion !== null) await endChampion(trx, name, state.championVersion);
    await trx
      .updateTable('registered_model')
      .set({ retired_at: sql`now()` })
      .where('name', '=', name)
      .execute();
    const experimentId = await endLifecycle(trx, name, asker);
    const after = { retired: true, endedChampion: state.championVersion };
    await recordAudit(trx, {
      ...asker,
      action: 'model.delete',
      object: modelObject(before),
      before,
      after,
    });
    return { experimentId };
  });
}

/** Ends in the rows what is under way; each end has its own line in audit and story. */
async function endLifecycle(
  trx: Trx,
  model: string,
  { actor, requestId }: Asker,
): Promise<string | undefined> {
  const why = 'the model was retired';
  const trial = await runningTrial(trx, model);
  if (trial) {
    await endTrial(trx, {
      trialId: trial.id,
      status: 'superseded',
      asOf: trial.last_as_of,
      reasons: [why],
      actor,
      words: `The ${trial.kind} trial of version ${trial.version} ended: ${why}`,
    });
  }
  const retrain = await runningRetrain(trx, model);
  if (retrain) {
    const words = `The retrain was cancelled: ${why}`;
    await finishRetrain(trx, { id: retrain.id, status: 'cancelled', outcome: why, words });
  }
  await trx
    .updateTable('model_state')
    .set({
      frozen: false,
      frozen_reason: null,
      cooldown_until: null,
      last_retrain_as_of: null,
      settled_as_of: null,
    })
    .where('model', '=', model)
    .execute();
  await trx.deleteFrom('explanation').where('model', '=', model).execute();
  const { at } = await trx
    .selectNoFrom(sql<Date>`clock_timestamp()`.as('at'))
    .executeTakeFirstOrThrow();
  await appendLifecycleEvent(trx, {
    ...{ model, asOf: null, kind: 'model.retired', actor },
    words: 'The model was retired',
    dedupeKey: `model.retired/${requestId ?? at.toISOString()}`,
  });
  return retrain?.experiment_id;
}

async function endChampion(trx: Trx, model: string, version: number): Promise<void> {
  await trx
    .updateTable('champion')
    // Not now(): this may have waited for the promotion whose champion it ends.
    .set({ valid_to: sql`clock_timestamp()` })
    .where('model', '=', model)
    .where('valid_to', 'is', null)
    .execute();
  const { generation } = await trx
    .updateTable('model_state')
    .set((eb) => ({
      champion_version: null,
      generation: eb('generation', '+', 1),
      changed_at: sql`clock_timestamp()`,
    }))
    .where('model', '=', model)
    .returning('generation')
    .executeTakeFirstOrThrow();
  await enqueueOutbox(trx, { kind: 'champion-changed', model, version, generation });
}

/**
 * Deletes a version: its row stays, so that its number never comes again and what it served can be
 * traced; it is listed, compared and promoted no more. Throws `version.champion` for the champion,
 * `version.promoting` while a promotion of it is open, `version.on-trial` while it is tried.
 */
export function deleteVersion(
  db: Db,
  model: string,
  version: number,
  asker: { readonly actor: string; readonly requestId?: string | undefined },
): Promise<void> {
  return inTransaction(db, async (trx) => {
    // A switch of the champion locks the same row: it comes before this or after it.
    const state = await trx
      .selectFrom('model_state')
      .select('champion_version')
      .where('model', '=', model)
      .forUpdate()
      .executeTakeFirst();
    const before = await lockVersion(trx, model, version);
    if (before.status === 'deleted') throw unknownVersion(model, version);
    if (state?.champion_version === version) {
      throw new VersionError(
        'version.champion',
        `version ${version} serves ${model}; promote another one before deleting it`,
      );
    }
    const open = await trx
      .selectFrom('promotion')
      .select('id')
      .where('model', '=', model)
      .where('version', '=', version)
      .where('status', '=', 'announced')
      .executeTakeFirst();
    if (open) {
      throw new VersionError(
        'version.promoting',
        `version ${version} of ${model} is being promoted`,
      );
    }
    const trial = await runningTrial(trx, model);
    if (trial?.version === version) {
      throw new VersionError(
        'version.on-trial',
        `version ${version} of ${model} is in a ${trial.kind} trial; reject it before deleting it`,
      );
    }
    await trx
      .updateTable('model_version')
      .set({ status: 'deleted' })
      .where('model', '=', model)
      .where('version', '=', version)
      .execute();
    await recordAudit(trx, {
      ...asker,
      action: 'version.delete',
      object: versionObject(before),
      before: { status: before.status, packageDigest: before.package_digest },
    });
    // The mirror reads what the version is now, and takes it away.
    await enqueueAgain(trx, { kind: 'version-registered', model, version });
  });
}
