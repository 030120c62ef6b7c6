import type { Experiment } from './experiments.ts';
import type { Db } from './in-transaction.ts';

/** How far back a model's experiments are looked for; templates must be expanded to be compared. */
const CANDIDATES_MAX = 500;

/**
 * Experiments that may concern `model`, newest first: those that name it, and those whose name is a
 * template (`index-{instrument}`), which only the spec tells. The caller expands and filters.
 */
export function experimentsAbout(db: Db, model: string): Promise<Experiment[]> {
  return db
    .selectFrom('experiment')
    .selectAll()
    .where((eb) => eb.or([eb('model', '=', model), eb('model', 'like', '%{instrument}%')]))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(CANDIDATES_MAX)
    .execute();
}

/** Why a model failed in experiments in which others did not: reasons by experiment. */
export async function failuresOf(
  db: Db,
  model: string,
  experiments: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (experiments.length === 0) return new Map();
  const rows = await db
    .selectFrom('experiment_event')
    .select(['experiment_id', 'payload'])
    .where('experiment_id', 'in', experiments)
    .where('dedupe_key', '=', failureKey(model))
    .execute();
  return new Map(rows.map((row) => [row.experiment_id, String(row.payload['reason'])]));
}

/** The models of an experiment that failed by themselves, while others went on, in the order in which they did. */
export async function failedModels(
  db: Db,
  experimentId: string,
): Promise<readonly { readonly model: string; readonly reason: string }[]> {
  const rows = await db
    .selectFrom('experiment_event')
    .select(['model', 'payload'])
    .where('experiment_id', '=', experimentId)
    .where('dedupe_key', 'like', `${failureKey('')}%`)
    .orderBy('seq')
    .execute();
  return rows.map(({ model, payload }) => ({
    model: model ?? '',
    reason: String(payload['reason']),
  }));
}

/** Under which the event of a model's failure is kept, once an experiment. */
export const failureKey = (model: string): string => `failed/${model}`;
