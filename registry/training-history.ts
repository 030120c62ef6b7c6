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
    .orderBy('id', 'desc')
    .limit(CANDIDATES_MAX)
    .execute();
}
