import { memberModels, type ExperimentSpec } from '../core/spec/index.ts';
import { getModel } from '../registry/models.ts';
import type { Db } from '../registry/in-transaction.ts';
import { requireModel, unknownModel, type Caller } from './auth.ts';

/**
 * Registered models whose versions a spec makes its own fits of must be the caller's, like those that it trains: with
 * their weights goes what they know. 404 `model.not-found` for one that is not, or is not there.
 */
export async function requireMembers(
  { db }: { readonly db: Db },
  caller: Caller,
  spec: ExperimentSpec,
): Promise<void> {
  for (const model of memberModels(spec)) {
    requireModel(caller, model);
    if (!(await getModel(db, model))) throw unknownModel(model);
  }
}
