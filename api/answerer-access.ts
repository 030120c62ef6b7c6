import { askedModels, nearestName, type BacktestSpec } from '../core/spec/index.ts';
import { PAGE_MAX } from '../registry/audit.ts';
import type { Db } from '../registry/in-transaction.ts';
import { getModel, getVersion, listModels, listVersions } from '../registry/models.ts';
import { mayUseModel, requireModel, unknownModel, type Caller } from './auth.ts';
import { notFound } from './errors.ts';

/**
 * Who a backtest asks must be the caller's, and there: without an answer a strategy is flat, and that it asked nobody is
 * hard to see. 404 `model.not-found`, `version.unknown`.
 */
export async function requireAnswerers(
  { db }: { readonly db: Db },
  caller: Caller,
  spec: BacktestSpec,
): Promise<void> {
  const { model } = spec;
  for (const name of askedModels(spec)) {
    if (model === undefined || !('name' in model)) {
      // Of a walk forward: the backtest makes it.
      requireModel(caller, name);
      continue;
    }
    const isThere = mayUseModel(caller, name) && (await getModel(db, name));
    if (!isThere) throw unknownModel(name, nearestName(name, await namesFor(db, caller)));
    if (typeof model.version === 'number') await requireVersion(db, name, model.version);
  }
}

async function namesFor(db: Db, { models }: Caller): Promise<readonly string[]> {
  const among = models.length > 0 ? models : undefined;
  return (await listModels(db, { limit: PAGE_MAX, among })).map(({ name }) => name);
}

async function requireVersion(db: Db, model: string, version: number): Promise<void> {
  if (await getVersion(db, model, version)) return;
  const [newest] = await listVersions(db, model, { limit: 1 });
  if (!newest) throw notFound('version.unknown', `${model} has no version yet.`);
  const words =
    version > newest.version
      ? `Version ${version} of ${model} does not exist`
      : `Version ${version} of ${model} failed, or was deleted`;
  throw notFound('version.unknown', `${words}; the newest is ${newest.version}.`);
}
