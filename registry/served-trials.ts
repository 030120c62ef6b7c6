import { sql, type Kysely } from 'kysely';
import { servable, VERSION_COLUMNS, type ServableVersion } from './champions.ts';
import type { Trx } from './in-transaction.ts';
import type { Database } from './tables.ts';

/** NOTIFY channel: a hint that a trial began, ended, or changed its share. The poll is the truth. */
export const TRIAL_CHANNEL = 'ratchet_trial';

/** A running trial with what a replica must know to serve it. */
export interface ServedTrial {
  readonly trialId: string;
  readonly model: string;
  readonly version: number;
  readonly kind: 'shadow' | 'canary';
  /** Of the model when the trial began: it says nothing about any other champion. */
  readonly generation: number;
  /** Share of the traffic that the challenger answers, [0, 1); 0 in shadow. */
  readonly share: number;
  /** undefined: the version is not registered any more. */
  readonly challenger: ServableVersion | undefined;
}

/**
 * Trials that replicas take part in: what they poll with the generations, once a second. One that only
 * waits for an approval asks nothing of them.
 */
export async function runningTrials(db: Kysely<Database>): Promise<ServedTrial[]> {
  const rows = await db
    .selectFrom('trial')
    .innerJoin('model_version', (join) =>
      join
        .onRef('model_version.model', '=', 'trial.model')
        .onRef('model_version.version', '=', 'trial.version'),
    )
    .where('trial.status', '=', 'running')
    .where('trial.kind', 'in', ['shadow', 'canary'])
    .select([
      ...VERSION_COLUMNS,
      'trial.id as trial_id',
      'trial.kind as kind',
      'trial.generation as generation',
      'trial.share as share',
      'model_version.status as version_status',
    ])
    .orderBy('trial.model')
    .execute();
  return rows.map((row) => ({
    trialId: row.trial_id,
    model: row.model,
    version: row.version,
    kind: row.kind === 'canary' ? 'canary' : 'shadow',
    generation: row.generation,
    share: row.kind === 'canary' ? row.share : 0,
    challenger: row.version_status === 'registered' ? servable(row) : undefined,
  }));
}

/** Has replicas look at running trials once the transaction stands. */
export async function notifyTrial(trx: Trx, model: string): Promise<void> {
  await sql`select pg_notify(${TRIAL_CHANNEL}, ${model})`.execute(trx);
}
