import { championHistory, servableVersion, type Champion, type ServedModel } from './champions.ts';
import type { Db } from './in-transaction.ts';

/** Generations looked back: a model that changed more often has its last ones. */
const HISTORY_MAX = 100;

/**
 * Former champions that the last one stands on, newest first, each once, with its last generation; `history`
 * newest first. A return to an earlier version was a decision against all that came between: those are left
 * out (1, 2, 3, then back to 2 leaves 1).
 */
export function foundation<C extends Pick<Champion, 'version'>>(history: readonly C[]): C[] {
  const standing: C[] = [];
  for (const champion of history.toReversed()) {
    const at = standing.findIndex(({ version }) => version === champion.version);
    if (at >= 0) standing.length = at;
    standing.push(champion);
  }
  return standing.slice(0, -1).reverse();
}

/**
 * Versions that may stand in for the champion of `model` where its package does not load: former champions
 * (see `foundation`) that are still registered, newest first, `limit` at most.
 */
export async function earlierChampions(
  db: Db,
  model: string,
  limit: number,
): Promise<ServedModel[]> {
  const found: ServedModel[] = [];
  for (const champion of foundation(await championHistory(db, model, HISTORY_MAX))) {
    if (found.length === limit) break;
    const { generation, valid_from: changedAt } = champion;
    const version = await servableVersion(db, model, champion.version);
    if (version) found.push({ ...version, generation, changedAt });
  }
  return found;
}
