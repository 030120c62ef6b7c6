import { sql, type Selectable } from 'kysely';
import { PAGE_MAX, recordAudit } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import { appendLifecycleEvent } from './lifecycle-events.ts';
import { PROMOTION_CHANNEL } from './promotions.ts';
import type { TrialStatus, TrialTable } from './tables.ts';

export type Trial = Selectable<TrialTable>;

export interface NewTrial {
  readonly id: string;
  readonly model: string;
  readonly version: number;
  readonly championVersion: number;
  /** Generation that the trial stands on; a switch in between supersedes it. */
  readonly generation: number;
  readonly kind: Trial['kind'];
  readonly policy: string;
  readonly mode: Trial['mode'];
  /** `promotion` of the spec. */
  readonly settings: unknown;
  readonly startedAsOf: Date;
  readonly share: number;
  readonly gateDecisionId: string;
  readonly experimentId: string;
  readonly words: string;
}

/** Opens a trial, or gives the one of that id as it stands; undefined where another one runs. */
export function openTrial(db: Db, input: NewTrial): Promise<Trial | undefined> {
  return inTransaction(db, async (trx) => {
    const earlier = await trialById(trx, input.id);
    if (earlier) return earlier;
    const row = await trx
      .insertInto('trial')
      .values({
        id: input.id,
        model: input.model,
        version: input.version,
        champion_version: input.championVersion,
        generation: input.generation,
        kind: input.kind,
        policy: input.policy,
        mode: input.mode,
        status: 'running',
        settings: JSON.stringify(input.settings),
        started_as_of: input.startedAsOf,
        last_as_of: input.startedAsOf,
        share: input.share,
        gate_decision_id: input.gateDecisionId,
        experiment_id: input.experimentId,
      })
      .onConflict((oc) => oc.column('model').where('status', '=', 'running').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!row) return undefined;
    await recordAudit(trx, {
      actor: 'policy',
      action: 'trial.start',
      object: `version/${input.model}/${input.version}`,
      after: { trial: input.id, kind: input.kind, mode: input.mode },
      workflowId: `trial/${input.model}`,
    });
    await appendLifecycleEvent(trx, {
      model: input.model,
      asOf: input.startedAsOf,
      kind: 'trial.started',
      version: input.version,
      actor: 'policy',
      words: input.words,
      payload: { trialId: input.id, kind: input.kind, mode: input.mode },
      dedupeKey: `trial.started/${input.id}`,
    });
    await notifyReplicas(trx, input.model);
    return row;
  });
}

export function trialById(db: Db, id: string): Promise<Trial | undefined> {
  return db.selectFrom('trial').selectAll().where('id', '=', id).executeTakeFirst();
}

export function runningTrial(db: Db, model: string): Promise<Trial | undefined> {
  return db
    .selectFrom('trial')
    .selectAll()
    .where('model', '=', model)
    .where('status', '=', 'running')
    .executeTakeFirst();
}

/** Newest first. */
export function listTrials(db: Db, model: string, limit: number): Promise<Trial[]> {
  return db
    .selectFrom('trial')
    .selectAll()
    .where('model', '=', model)
    .orderBy('started_at', 'desc')
    .orderBy('id', 'desc')
    .limit(Math.min(limit, PAGE_MAX))
    .execute();
}

/** What a look at a running trial found; market time only moves forward, and replicas hear of a new share. */
export async function recordTrialLook(
  db: Db,
  look: {
    readonly trialId: string;
    readonly asOf: Date;
    readonly share: number;
    readonly progress: unknown;
    readonly reasons: readonly string[];
  },
): Promise<void> {
  await inTransaction(db, async (trx) => {
    const before = await trx
      .selectFrom('trial')
      .select(['model', 'share'])
      .where('id', '=', look.trialId)
      .forUpdate()
      .executeTakeFirst();
    if (!before) return;
    await trx
      .updateTable('trial')
      .set({
        last_as_of: sql<Date>`greatest(last_as_of, ${look.asOf})`,
        share: look.share,
        progress: JSON.stringify(look.progress),
        reasons: JSON.stringify(look.reasons),
      })
      .where('id', '=', look.trialId)
      .where('status', '=', 'running')
      .execute();
    if (before.share !== look.share) await notifyReplicas(trx, before.model);
  });
}

export interface TrialEnd {
  readonly trialId: string;
  readonly status: Exclude<TrialStatus, 'running'>;
  readonly reasons: readonly string[];
  readonly actor: string;
  readonly endDecisionId?: string | undefined;
  /** One sentence for the story. */
  readonly words: string;
}

/** Ends a running trial with its audit and its line in the story; a trial that ended stays as it ended. */
export function endTrial(db: Db, end: TrialEnd): Promise<Trial | undefined> {
  return inTransaction(db, async (trx) => {
    const ended = await trx
      .updateTable('trial')
      .set({
        status: end.status,
        reasons: JSON.stringify(end.reasons),
        share: 0,
        end_decision_id: end.endDecisionId ?? null,
        finished_at: sql<Date>`clock_timestamp()`,
      })
      .where('id', '=', end.trialId)
      .where('status', '=', 'running')
      .returningAll()
      .executeTakeFirst();
    if (!ended) return trialById(trx, end.trialId);
    await recordAudit(trx, {
      actor: end.actor,
      action: `trial.${end.status}`,
      object: `version/${ended.model}/${ended.version}`,
      after: { trial: end.trialId, reasons: end.reasons },
      workflowId: `trial/${ended.model}`,
    });
    await appendLifecycleEvent(trx, {
      model: ended.model,
      asOf: ended.last_as_of,
      kind: 'trial.ended',
      version: ended.version,
      actor: end.actor,
      words: end.words,
      payload: { trialId: end.trialId, status: end.status, reasons: end.reasons },
      dedupeKey: `trial.ended/${end.trialId}`,
    });
    await notifyReplicas(trx, ended.model);
    return ended;
  });
}

/** Replicas look for trials with each look for generations. */
async function notifyReplicas(trx: Trx, model: string): Promise<void> {
  await sql`select pg_notify(${PROMOTION_CHANNEL}, ${model})`.execute(trx);
}
