import { sql, type Selectable } from 'kysely';
import { composeAlert } from '../core/alerts/index.ts';
import { recordAlert } from './alerts.ts';
import { recordAudit } from './audit.ts';
import { createExperiment, type NewExperiment } from './experiments.ts';
import { inTransaction, type Db } from './in-transaction.ts';
import { appendLifecycleEvent } from './lifecycle-events.ts';
import type { RetrainTable } from './tables.ts';

export type Retrain = Selectable<RetrainTable>;

export interface NewRetrain {
  readonly id: string;
  readonly model: string;
  /** Market time of the reasons; the experiment knows no later bar. */
  readonly asOf: Date;
  readonly reasons: readonly string[];
  /** The drift report that asked for it; null: none did. */
  readonly reportId: string | null;
  readonly cooldownUntil: Date;
  /** Generation that was looked at. */
  readonly expectedGeneration: number;
  readonly experiment: NewExperiment;
  readonly words: string;
}

/**
 * Begins a retrain: its row, its experiment, the cooldown and the story in one transaction. The same id
 * again gives the retrain as it stands, ended or not; undefined where another one of the model runs, its
 * champion changed since it was looked at, or it was frozen.
 */
export function startRetrain(db: Db, input: NewRetrain): Promise<Retrain | undefined> {
  return inTransaction(db, async (trx) => {
    const earlier = await retrainById(trx, input.id);
    if (earlier) return earlier;
    // A switch or a freeze comes before this or after it.
    const state = await trx
      .selectFrom('model_state')
      .select(['generation', 'frozen'])
      .where('model', '=', input.model)
      .forUpdate()
      .executeTakeFirst();
    if (state?.generation !== input.expectedGeneration || state.frozen) return undefined;
    const row = await trx
      .insertInto('retrain')
      .values({
        id: input.id,
        model: input.model,
        experiment_id: input.experiment.id,
        as_of: input.asOf,
        reasons: JSON.stringify(input.reasons),
        status: 'running',
      })
      .onConflict((oc) => oc.column('model').where('status', '=', 'running').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!row) return undefined;
    await createExperiment(trx, input.experiment);
    await trx
      .updateTable('model_state')
      .set({ cooldown_until: input.cooldownUntil, last_retrain_as_of: input.asOf })
      .where('model', '=', input.model)
      .execute();
    await recordAudit(trx, {
      actor: 'lifecycle',
      action: 'retrain.start',
      object: `model/${input.model}`,
      after: { retrain: input.id, experiment: input.experiment.id, reasons: input.reasons },
      workflowId: `lifecycle/${input.model}`,
    });
    await appendLifecycleEvent(trx, {
      model: input.model,
      asOf: input.asOf,
      kind: 'retrain.started',
      actor: 'lifecycle',
      words: input.words,
      payload: {
        experimentId: input.experiment.id,
        reasons: input.reasons,
        reportId: input.reportId,
      },
      dedupeKey: `retrain.started/${input.id}`,
    });
    return row;
  });
}

export function retrainById(db: Db, id: string): Promise<Retrain | undefined> {
  return db.selectFrom('retrain').selectAll().where('id', '=', id).executeTakeFirst();
}

export function runningRetrain(db: Db, model: string): Promise<Retrain | undefined> {
  return db
    .selectFrom('retrain')
    .selectAll()
    .where('model', '=', model)
    .where('status', '=', 'running')
    .executeTakeFirst();
}

/** Training minutes that retrains of the model took within the last 24 hours of wall time. */
export async function retrainMinutesOfDay(db: Db, model: string): Promise<number> {
  const { minutes } = await db
    .selectFrom('retrain')
    .select(
      sql<number>`coalesce(sum(coalesce(minutes,
        extract(epoch from clock_timestamp() - started_at) / 60)), 0)::float8`.as('minutes'),
    )
    .where('model', '=', model)
    .where(sql<boolean>`started_at > clock_timestamp() - interval '24 hours'`)
    .executeTakeFirstOrThrow();
  return minutes;
}

/** Ends a running retrain; one that ended stays as it ended. */
export function finishRetrain(
  db: Db,
  end: {
    readonly id: string;
    readonly status: Exclude<Retrain['status'], 'running'>;
    readonly outcome: string;
    readonly words: string;
  },
): Promise<void> {
  return inTransaction(db, async (trx) => {
    const ended = await trx
      .updateTable('retrain')
      .set({
        status: end.status,
        outcome: end.outcome,
        minutes: sql<number>`extract(epoch from clock_timestamp() - started_at) / 60`,
        finished_at: sql<Date>`clock_timestamp()`,
      })
      .where('id', '=', end.id)
      .where('status', '=', 'running')
      .returningAll()
      .executeTakeFirst();
    if (!ended) return;
    await recordAudit(trx, {
      actor: 'lifecycle',
      action: `retrain.${end.status}`,
      object: `model/${ended.model}`,
      after: { retrain: end.id, outcome: end.outcome },
      workflowId: `lifecycle/${ended.model}`,
    });
    await appendLifecycleEvent(trx, {
      model: ended.model,
      asOf: ended.as_of,
      kind: 'retrain.finished',
      actor: 'lifecycle',
      words: end.words,
      payload: { status: end.status, experimentId: ended.experiment_id, outcome: end.outcome },
      dedupeKey: `retrain.finished/${end.id}`,
    });
    if (end.status === 'completed') return;
    const alert = composeAlert('retrain.failed', {
      model: ended.model,
      asOf: ended.as_of.toISOString(),
      retrainId: end.id,
      experimentId: ended.experiment_id,
      reason: end.outcome,
    });
    await recordAlert(trx, alert);
  });
}
