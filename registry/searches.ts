import { sql, type RawBuilder, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import { bestOf, type Ended } from '../core/search/best.ts';
import type { Point } from '../core/search/point.ts';
import type { Outcome } from '../core/search/search-method.ts';
import type { Space } from '../core/search/space.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import type { SearchStop, SearchTable, SearchTrialTable } from './tables.ts';

export type Search = Selectable<SearchTable>;
export type SearchTrial = Selectable<SearchTrialTable>;

/** Which search: one for each model of an experiment. */
export interface SearchKey {
  readonly experimentId: string;
  readonly model: string;
}

export interface NewSearch extends SearchKey {
  readonly family: string;
  readonly method: string;
  readonly pruner: string;
  readonly seed: number;
  readonly fitSeed: number;
  readonly trials: number;
  readonly parallel: number;
  readonly budgetMinutes: number | undefined;
  readonly space: Space;
  readonly rungs: readonly number[];
  readonly startedAt: Date;
}

/** Writes the search, or gives the one that is there: a repeat keeps its start. */
export async function openSearch(db: Db, input: NewSearch): Promise<Search> {
  await db
    .insertInto('search')
    .values({
      experiment_id: input.experimentId,
      model: input.model,
      family: input.family,
      method: input.method,
      pruner: input.pruner,
      seed: String(input.seed),
      fit_seed: String(input.fitSeed),
      trials: input.trials,
      parallel: input.parallel,
      budget_minutes: input.budgetMinutes ?? null,
      space: JSON.stringify(input.space),
      rungs: JSON.stringify(input.rungs),
      state: 'running',
      started_at: input.startedAt,
    })
    .onConflict((oc) => oc.columns(['experiment_id', 'model']).doNothing())
    .execute();
  return searchOrThrow(db, input);
}

export function findSearch(db: Db, key: SearchKey): Promise<Search | undefined> {
  return db
    .selectFrom('search')
    .selectAll()
    .where('experiment_id', '=', key.experimentId)
    .where('model', '=', key.model)
    .executeTakeFirst();
}

/** Throws `search.unknown`. */
export async function searchOrThrow(db: Db, key: SearchKey): Promise<Search> {
  const search = await findSearch(db, key);
  if (search) return search;
  const { experimentId, model } = key;
  throw new RatchetError('search.unknown', `experiment ${experimentId} searched none of ${model}`);
}

/** The searches of an experiment, by model. */
export function searchesOf(db: Db, experimentId: string): Promise<Search[]> {
  return db
    .selectFrom('search')
    .selectAll()
    .where('experiment_id', '=', experimentId)
    .orderBy('model')
    .execute();
}

/** All trials so far, in order. */
export function trialsOf(db: Db, key: SearchKey): Promise<SearchTrial[]> {
  return db
    .selectFrom('search_trial')
    .selectAll()
    .where('experiment_id', '=', key.experimentId)
    .where('model', '=', key.model)
    .orderBy('trial')
    .execute();
}

/** Writes a trial that begins; a repeat gives the one that is there. */
export async function beginTrial(
  db: Db,
  key: SearchKey & { readonly trial: number },
  point: Point,
): Promise<void> {
  await db
    .insertInto('search_trial')
    .values({
      experiment_id: key.experimentId,
      model: key.model,
      trial: key.trial,
      point: JSON.stringify(point),
      state: 'running',
      losses: '[]',
    })
    .onConflict((oc) => oc.columns(['experiment_id', 'model', 'trial']).doNothing())
    .execute();
}

export interface RungEnd {
  readonly rung: number;
  readonly loss: number;
  /** `running`: it goes on with the next rung. */
  readonly state: 'running' | 'completed' | 'pruned';
  readonly epochsRun: number;
  readonly bestEpoch: number;
}

/** What a rung came to. The same end again changes nothing; an ended trial stays as it is. */
export function endRung(
  db: Db,
  key: SearchKey & { readonly trial: number },
  end: RungEnd,
): Promise<void> {
  return inTransaction(db, async (trx) => {
    const row = await lockTrialOrThrow(trx, key);
    if (row.state !== 'running') return;
    const losses = [...row.losses.slice(0, end.rung), end.loss];
    await updateTrial(trx, key, {
      losses: JSON.stringify(losses),
      valid_loss: end.loss,
      epochs_run: end.epochsRun,
      best_epoch: end.bestEpoch,
      state: end.state,
      ...(end.state === 'running' ? {} : { finished_at: sql<Date>`now()` }),
    });
  });
}

/** A trial that cannot be fitted; an ended one stays as it is. */
export function failTrial(
  db: Db,
  key: SearchKey & { readonly trial: number },
  error: string,
): Promise<void> {
  return inTransaction(db, async (trx) => {
    const row = await lockTrialOrThrow(trx, key);
    if (row.state !== 'running') return;
    await updateTrial(trx, key, { state: 'failed', error, finished_at: sql<Date>`now()` });
  });
}

/** Why no further trial begins; the first reason stays. */
export async function stopSearch(db: Db, key: SearchKey, by: SearchStop): Promise<void> {
  await db
    .updateTable('search')
    .set({ stopped_by: sql`coalesce(stopped_by, ${by})` })
    .where('experiment_id', '=', key.experimentId)
    .where('model', '=', key.model)
    .execute();
}

/**
 * Ends a search by its best trial. A repeat gives the same end.
 * Throws `search.no-trial` where no trial was trained to its end; the search is then recorded as failed.
 */
export async function completeSearch(
  db: Db,
  key: SearchKey,
): Promise<{ search: Search; trials: readonly SearchTrial[]; best: SearchTrial }> {
  const trials = await trialsOf(db, key);
  const best = bestOf(trials.map(endedOf));
  if (best === undefined) {
    const reason = trials.findLast(({ error }) => error !== null)?.error;
    const message =
      `none of ${trials.length} trials was trained to its end` +
      (reason ? `; the last one that failed: ${reason}` : '');
    await endSearch(db, key, { state: 'failed', message });
    throw new RatchetError('search.no-trial', message);
  }
  await endSearch(db, key, { state: 'completed', best_trial: best.trial });
  const search = await searchOrThrow(db, key);
  return { search, trials, best: trials.find(({ trial }) => trial === best.trial)! };
}

/** Ends a search that found nothing: its running trials end with it. The first end stays. */
export function abandonSearch(
  db: Db,
  key: SearchKey,
  end: { readonly state: 'failed' | 'cancelled'; readonly message: string },
): Promise<void> {
  return inTransaction(db, async (trx) => {
    await trx
      .updateTable('search_trial')
      .set({ state: end.state, finished_at: sql<Date>`now()` })
      .where('experiment_id', '=', key.experimentId)
      .where('model', '=', key.model)
      .where('state', '=', 'running')
      .execute();
    await endSearch(trx, key, end);
  });
}

/** Ends what an experiment that failed or was cancelled still searched: nobody else may be left to say so. */
export async function abandonSearchesOf(
  trx: Trx,
  experimentId: string,
  end: { readonly state: 'failed' | 'cancelled'; readonly message: string },
): Promise<void> {
  const running = await trx
    .selectFrom('search')
    .select('model')
    .where('experiment_id', '=', experimentId)
    .where('state', '=', 'running')
    .execute();
  for (const { model } of running) await abandonSearch(trx, { experimentId, model }, end);
}

/** A trial as far as it decides which is best. */
export const endedOf = ({ trial, state, valid_loss: loss }: SearchTrial): Ended => ({
  trial,
  state,
  loss,
});

/** What a trial came to, for a search that goes on and for what explains its result. */
export const outcomeOf = ({ point, losses, state, valid_loss: loss }: SearchTrial): Outcome => ({
  point,
  rungs: state === 'failed' ? 0 : losses.length,
  loss: state === 'failed' ? Infinity : (loss ?? Infinity),
});

async function endSearch(
  db: Db,
  key: SearchKey,
  end: Pick<Search, 'state'> & { message?: string; best_trial?: number },
): Promise<void> {
  await db
    .updateTable('search')
    .set({ ...end, finished_at: sql<Date>`now()` })
    .where('experiment_id', '=', key.experimentId)
    .where('model', '=', key.model)
    .where('state', '=', 'running')
    .execute();
}

async function lockTrialOrThrow(
  trx: Trx,
  { experimentId, model, trial }: SearchKey & { readonly trial: number },
): Promise<SearchTrial> {
  const row = await trx
    .selectFrom('search_trial')
    .selectAll()
    .where('experiment_id', '=', experimentId)
    .where('model', '=', model)
    .where('trial', '=', trial)
    .forUpdate()
    .executeTakeFirst();
  if (row) return row;
  throw new RatchetError('search.unknown-trial', `${model} has no trial ${trial} in this search`);
}

async function updateTrial(
  trx: Trx,
  key: SearchKey & { readonly trial: number },
  set: {
    state: SearchTrial['state'];
    losses?: string;
    valid_loss?: number;
    epochs_run?: number;
    best_epoch?: number;
    error?: string;
    finished_at?: RawBuilder<Date>;
  },
): Promise<void> {
  await trx
    .updateTable('search_trial')
    .set(set)
    .where('experiment_id', '=', key.experimentId)
    .where('model', '=', key.model)
    .where('trial', '=', key.trial)
    .execute();
}
