/** What a replica does for the registry from time to time; replicas that do it at once do no harm. */
import type { Log } from '../activities/deps.ts';
import { forgetOldIdempotencyKeys } from '../registry/idempotency.ts';
import type { Db } from '../registry/in-transaction.ts';
import { forgetOldParity } from '../registry/parity-retention.ts';
import { parityStandings } from '../registry/parity-standing.ts';
import { forgetOldReplicas } from '../registry/replicas.ts';
import type { ApiParts } from './parts.ts';

/** Forgets what is past its time. */
export async function keepHouse(db: Db, log: Log): Promise<void> {
  try {
    await forgetOldIdempotencyKeys(db);
    await forgetOldReplicas(db);
    await forgetOldParity(db);
  } catch (error) {
    log.debug({ err: error }, 'housekeeping waits for the database');
  }
}

/** How replays of served predictions stand, as metrics; what it said last stands while the database is away. */
export async function reportParity({
  db,
  log,
  metrics,
}: Pick<ApiParts, 'db' | 'log' | 'metrics'>): Promise<void> {
  try {
    for (const [model, { night, different }] of await parityStandings(db)) {
      metrics.parityDifferent.set({ model }, different?.different ?? 0);
      if (night?.status !== 'completed') continue;
      metrics.parityReplayed.set({ model }, night.replayed);
      metrics.parityNight.set({ model }, night.finishedAt.getTime() / 1_000);
    }
  } catch (error) {
    log.debug({ err: error }, 'how replays stand could not be read');
  }
}
