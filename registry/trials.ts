import { sql, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import { composeAlert } from '../core/alerts/index.ts';
import { recordAlert } from './alerts.ts';
import { PAGE_MAX, recordAudit } from './audit.ts';
import { inTransaction, type Db } from './in-transaction.ts';
import { appendLifecycleEvent } from './lifecycle-events.ts';
import { notifyTrial } from './served-trials.ts';
import { lockVersion } from './versions.ts';
import type { Judgement, TrialStatus, TrialTable } from './tables.ts';

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
  /** Of a manual trial: wall days that it waits. */
  readonly approveWithinDays?: number | undefined;
}

/** Opens a trial, or gives the one of that id as it stands; undefined where another one runs, or its version was deleted. */
export function openTrial(db: Db, input: NewTrial): Promise<Trial | undefined> {
  return inTransaction(db, async (trx) => {
    const earlier = await trialById(trx, input.id);
    if (earlier) return earlier;
    // Its deletion comes before this, or finds it on trial.
    const { status } = await lockVersion(trx, input.model, input.version);
    if (status !== 'registered') return undefined;
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
    if (input.approveWithinDays !== undefined) {
      const alert = composeAlert('trial.waiting-approval', {
        model: input.model,
        asOf: input.startedAsOf.toISOString(),
        version: input.version,
        trialId: input.id,
        withinDays: input.approveWithinDays,
      });
      await recordAlert(trx, alert);
    }
    await notifyTrial(trx, input.model);
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
    if (before.share !== look.share) await notifyTrial(trx, before.model);
  });
}

export class TrialError extends RatchetError {}

/**
 * Keeps what a person decided on the running trial; the first judgement stands. Throws `trial.none` where
 * nothing is on trial, `trial.other-version` where `version` is named and another one is on trial,
 * `trial.not-manual` where an approval would go round the proof, `trial.judged`.
 */
export function recordJudgement(
  db: Db,
  model: string,
  { version, ...judgement }: Judgement & { readonly version?: number },
): Promise<Trial> {
  return inTransaction(db, async (trx) => {
    const trial = await trx
      .selectFrom('trial')
      .selectAll()
      .where('model', '=', model)
      .where('status', '=', 'running')
      .forUpdate()
      .executeTakeFirst();
    if (!trial) throw new TrialError('trial.none', `${model} has no running trial to decide on`);
    requireTrialOf(trial, version);
    if (judgement.decision === 'approve' && trial.kind !== 'manual') {
      throw new TrialError(
        'trial.not-manual',
        `the ${trial.kind} trial of version ${trial.version} decides by its rows; promote the version by ` +
          'hand, or reject it',
      );
    }
    if (trial.judgement && !isSameJudgement(trial.judgement, judgement)) {
      throw new TrialError(
        'trial.judged',
        `the trial was decided already: ${trial.judgement.decision}`,
      );
    }
    if (trial.judgement) return trial;
    await recordAudit(trx, {
      actor: judgement.actor,
      action: `trial.${judgement.decision}`,
      object: `version/${model}/${trial.version}`,
      after: { trial: trial.id, reason: judgement.reason },
      workflowId: `trial/${model}`,
    });
    return trx
      .updateTable('trial')
      .set({ judgement: JSON.stringify(judgement) })
      .where('id', '=', trial.id)
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

/** Throws `trial.other-version` where the asker means another version than the one on trial. */
export function requireTrialOf({ id, model, version }: Trial, asked: number | undefined): void {
  if (asked === undefined || asked === version) return;
  throw new TrialError(
    'trial.other-version',
    `version ${version} of ${model} is on trial (${id}), not version ${asked}: look at it before you decide`,
    { details: { trialVersion: version, askedVersion: asked } },
  );
}

const isSameJudgement = (a: Judgement, b: Judgement): boolean =>
  a.decision === b.decision && a.actor === b.actor && a.reason === b.reason;

export interface TrialEnd {
  readonly trialId: string;
  readonly status: Exclude<TrialStatus, 'running'>;
  readonly reasons: readonly string[];
  readonly actor: string;
  /** Market time of the end. */
  readonly asOf: Date;
  readonly endDecisionId?: string | undefined;
  /** One sentence for the story. */
  readonly words: string;
}

/** Ends that an operator may want to hear of; promotions are told by the switch itself. */
const ALERT_OF: Partial<Record<TrialStatus, 'trial.aborted' | 'trial.undecided'>> = {
  aborted: 'trial.aborted',
  undecided: 'trial.undecided',
};

/** Ends a running trial with its audit and its line in the story; a trial that ended stays as it ended. */
export function endTrial(db: Db, end: TrialEnd): Promise<Trial | undefined> {
  return inTransaction(db, async (trx) => {
    const ended = await trx
      .updateTable('trial')
      .set({
        status: end.status,
        reasons: JSON.stringify(end.reasons),
        share: 0,
        last_as_of: sql<Date>`greatest(last_as_of, ${end.asOf})`,
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
    const alert = ALERT_OF[end.status];
    if (alert !== undefined) {
      const { model, version, last_as_of } = ended;
      const asOf = last_as_of.toISOString();
      const facts = { model, asOf, version, trialId: end.trialId, reasons: end.reasons };
      await recordAlert(trx, composeAlert(alert, facts));
    }
    await notifyTrial(trx, ended.model);
    return ended;
  });
}
