import { sql } from 'kysely';
import type { Db } from './in-transaction.ts';
import { finishRetrain } from './retrains.ts';
import { endTrial, trialById } from './trials.ts';

/** What should run for each model, as the rows have it. Reads only. */
export interface LifecycleFacts {
  /** Models that are not retired. */
  readonly models: ReadonlySet<string>;
  readonly served: readonly ServedFacts[];
  readonly trials: readonly {
    readonly id: string;
    readonly model: string;
    readonly version: number;
    readonly lastAsOf: Date;
  }[];
  readonly retrains: readonly RunningRetrain[];
}

/** A model with a champion. */
export interface ServedFacts {
  readonly model: string;
  /** How far market time is settled. */
  readonly settledAsOf: Date | null;
  /** Its champion changed a moment ago: what it needs may be about to start. */
  readonly fresh: boolean;
}

export interface RunningRetrain {
  readonly id: string;
  readonly model: string;
  readonly experimentId: string;
  readonly asOf: Date;
  /** How its experiment ended; null: it has not, `lost`: there is none. */
  readonly ended: 'completed' | 'failed' | 'cancelled' | 'lost' | null;
  readonly message: string | null;
}

/**
 * @param olderThanMs what began or ended later is left out, or marked as fresh: its workflow may be about to
 *   start, or to write its end
 */
export async function lifecycleFacts(db: Db, olderThanMs: number): Promise<LifecycleFacts> {
  const settled = sql<Date>`clock_timestamp() - make_interval(secs => ${olderThanMs / 1000})`;
  const [models, served, trials, retrains] = await Promise.all([
    db.selectFrom('registered_model').select('name').where('retired_at', 'is', null).execute(),
    db
      .selectFrom('model_state')
      .innerJoin('registered_model', 'registered_model.name', 'model_state.model')
      .select(['model', 'settled_as_of as settledAsOf'])
      .select(sql<boolean>`changed_at > ${settled}`.as('fresh'))
      .where('retired_at', 'is', null)
      .where('champion_version', 'is not', null)
      .orderBy('model')
      .execute(),
    db
      .selectFrom('trial')
      .select(['id', 'model', 'version', 'last_as_of as lastAsOf'])
      .where('status', '=', 'running')
      .where('started_at', '<=', settled)
      .orderBy('model')
      .execute(),
    db
      .selectFrom('retrain')
      .leftJoin('experiment', 'experiment.id', 'retrain.experiment_id')
      .select([
        'retrain.id',
        'retrain.model',
        'retrain.experiment_id as experimentId',
        'retrain.as_of as asOf',
        'experiment.status as experimentStatus',
        'experiment.message',
      ])
      .where('retrain.status', '=', 'running')
      .where('retrain.started_at', '<=', settled)
      .where((eb) =>
        eb.or([
          eb('experiment.finished_at', 'is', null),
          eb('experiment.finished_at', '<=', settled),
        ]),
      )
      .orderBy('retrain.model')
      .execute(),
  ]);
  return {
    models: new Set(models.map(({ name }) => name)),
    served,
    trials,
    retrains: retrains.map(({ experimentStatus, ...row }) => ({
      ...row,
      ended: endOf(experimentStatus),
    })),
  };
}

function endOf(status: string | null): RunningRetrain['ended'] {
  switch (status) {
    case null:
      return 'lost';
    case 'failed':
    case 'cancelled':
    case 'completed':
      return status;
    case 'skipped':
      return 'completed';
    default:
      return null;
  }
}

/** Ends the row of a trial that nothing can go on with. */
export async function endLostTrial(db: Db, trialId: string, why: string): Promise<void> {
  const trial = await trialById(db, trialId);
  if (!trial) return;
  await endTrial(db, {
    trialId,
    status: 'superseded',
    asOf: trial.last_as_of,
    reasons: [why],
    actor: 'doctor',
    words: `The ${trial.kind} trial of version ${trial.version} ended: ${why}`,
  });
}

/** Ends the row of a retrain as its experiment ended. */
export async function endLostRetrain(
  db: Db,
  { id, ended, message }: RunningRetrain,
  why: string,
): Promise<void> {
  const status = ended === null ? 'cancelled' : ended === 'lost' ? 'failed' : ended;
  const outcome = `${message ?? (ended === 'lost' ? 'its experiment is not on record' : status)} (${why})`;
  await finishRetrain(db, {
    id,
    status,
    outcome,
    words: `The retrain ended ${status}: ${outcome}`,
  });
}
