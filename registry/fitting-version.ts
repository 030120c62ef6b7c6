import { createHash } from 'node:crypto';
import type { Db } from './in-transaction.ts';

export interface FittingQuery {
  readonly model: string;
  readonly specHash: string;
  /** Of the unit's datasets together. */
  readonly datasetHash: string;
  /** Open time of the newest bar there is: a version that is trained through a later one has seen the future. */
  readonly newestBar: Date;
  /** Sessions of market time between a version's `trainedThrough` and the newest bar. */
  readonly ageInSessions: (trainedThrough: Date) => number;
  /** An older version no longer counts as fitting. */
  readonly maxAgeSessions: number;
}

export interface FittingVersion {
  readonly version: number;
  readonly reason: string;
}

/** How many of the newest versions of a spec are looked at; older ones are older in market time too. */
const CANDIDATES_MAX = 20;

/**
 * Row A11: the newest registered version of the same spec that was trained on exactly these bars, or
 * whose age in sessions is at most `maxAgeSessions`.
 */
export async function findFittingVersion(
  db: Db,
  query: FittingQuery,
): Promise<FittingVersion | undefined> {
  const candidates = await db
    .selectFrom('model_version')
    .select(['version', 'dataset_hash', 'trained_through'])
    .where('model', '=', query.model)
    .where('status', '=', 'registered')
    .where('spec_hash', '=', query.specHash)
    .orderBy('version', 'desc')
    .limit(CANDIDATES_MAX)
    .execute();
  const same = candidates.find((version) => version.dataset_hash === query.datasetHash);
  if (same) {
    return {
      version: same.version,
      reason: `version ${same.version} was trained by the same spec on the same bars`,
    };
  }
  for (const { version, trained_through: trainedThrough } of candidates) {
    if (trainedThrough === null || trainedThrough > query.newestBar) continue;
    const age = query.ageInSessions(trainedThrough);
    if (age > query.maxAgeSessions) continue;
    return {
      version,
      reason:
        `version ${version} of the same spec is trained through ` +
        `${trainedThrough.toISOString()}, ${age} sessions ago (at most ${query.maxAgeSessions} are allowed)`,
    };
  }
  return undefined;
}

/**
 * Names the bars of one unit of training: the dataset's own hash for one instrument, else the sha256
 * of the instruments and hashes in the order of the instruments' names.
 */
export function unitDatasetHash(
  datasets: readonly { readonly instrument: string; readonly datasetHash: string }[],
): string {
  const [only] = datasets;
  if (only && datasets.length === 1) return only.datasetHash;
  const lines = datasets
    .map(({ instrument, datasetHash }) => `${instrument} ${datasetHash}\n`)
    .sort();
  return createHash('sha256').update(lines.join('')).digest('hex');
}
