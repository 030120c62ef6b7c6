import { sql, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import { experimentSpecSchema, type ExperimentSpec } from '../core/spec/spec.ts';
import { PAGE_MAX, recordAudit, unknownCursor } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import { enqueueOutbox } from './outbox.ts';
import { abandonSearchesOf } from './searches.ts';
import type { ExperimentEventTable, ExperimentStatus, ExperimentTable } from './tables.ts';

export type Experiment = Selectable<ExperimentTable>;
export type ExperimentEvent = Selectable<ExperimentEventTable>;

/** NOTIFY channel; the payload is the experiment's id. A hint only: rows are the truth. */
export const EXPERIMENT_EVENT_CHANNEL = 'experiment_event';

export class ExperimentError extends RatchetError {}

export interface NewExperiment {
  /** ULID. */
  readonly id: string;
  readonly name: string;
  readonly model: string;
  /** Parsed spec, every default filled in. */
  readonly spec: unknown;
  readonly specHash: string;
  readonly workflowId: string;
  readonly actor: string;
  readonly requestId?: string | undefined;
}

export type TerminalStatus = Extract<
  ExperimentStatus,
  'completed' | 'skipped' | 'failed' | 'cancelled'
>;

/** What may follow what; a terminal status is the last one. */
const NEXT: Readonly<Record<ExperimentStatus, readonly ExperimentStatus[]>> = {
  queued: ['running', 'completed', 'skipped', 'failed', 'cancelled'],
  running: ['completed', 'skipped', 'failed', 'cancelled'],
  completed: [],
  skipped: [],
  failed: [],
  cancelled: [],
};

export function isTerminal(status: ExperimentStatus): status is TerminalStatus {
  return NEXT[status].length === 0;
}

/**
 * Writes a queued experiment. The same id with the same spec again gives the row that is there
 * (`created: false`); with another spec it is refused (`experiment.exists`).
 */
export function createExperiment(
  db: Db,
  input: NewExperiment,
): Promise<{ experiment: Experiment; created: boolean }> {
  return inTransaction(db, async (trx) => {
    const inserted = await trx
      .insertInto('experiment')
      .values({
        id: input.id,
        name: input.name,
        model: input.model,
        spec: JSON.stringify(input.spec),
        spec_hash: input.specHash,
        status: 'queued',
        workflow_id: input.workflowId,
        actor: input.actor,
        request_id: input.requestId ?? null,
      })
      .onConflict((oc) => oc.column('id').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!inserted) {
      const experiment = await getExperimentOrThrow(trx, input.id);
      if (experiment.spec_hash === input.specHash && experiment.name === input.name) {
        return { experiment, created: false };
      }
      throw new ExperimentError(
        'experiment.exists',
        `experiment ${input.id} exists with another spec`,
      );
    }
    await recordAudit(trx, {
      actor: input.actor,
      action: 'experiment.create',
      object: `experiment/${input.id}`,
      after: { name: input.name, model: input.model, specHash: input.specHash },
      requestId: input.requestId,
      workflowId: input.workflowId,
    });
    return { experiment: inserted, created: true };
  });
}

export function getExperiment(db: Db, id: string): Promise<Experiment | undefined> {
  return db.selectFrom('experiment').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function getExperimentOrThrow(db: Db, id: string): Promise<Experiment> {
  const experiment = await getExperiment(db, id);
  if (!experiment) {
    throw new ExperimentError('experiment.unknown', `there is no experiment ${id}`);
  }
  return experiment;
}

/** The spec of an experiment; defaults that came after it was written are filled in. */
export async function experimentSpecOrThrow(db: Db, id: string): Promise<ExperimentSpec> {
  return experimentSpecSchema.parse((await getExperimentOrThrow(db, id)).spec);
}

export interface ExperimentQuery {
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly name?: string | undefined;
  readonly model?: string | undefined;
  readonly status?: ExperimentStatus | undefined;
}

/**
 * Newest first: by time of creation, which the ids of folds of backtests do not tell; by id where it is the same.
 * Errors: `query.cursor`.
 */
export async function listExperiments(
  db: Db,
  query: ExperimentQuery,
): Promise<{ items: Experiment[]; nextCursor: string | undefined }> {
  const limit = Math.min(query.limit, PAGE_MAX);
  const { cursor, name, model, status } = query;
  let select = db.selectFrom('experiment').selectAll();
  if (cursor !== undefined) {
    if (!(await getExperiment(db, cursor))) throw unknownCursor(cursor);
    // Compared by the database: its times are finer than a Date.
    const last = sql`(SELECT created_at, id FROM experiment WHERE id = ${cursor})`;
    select = select.where(sql<boolean>`(created_at, id) < ${last}`);
  }
  if (name !== undefined) select = select.where('name', '=', name);
  if (model !== undefined) select = select.where('model', '=', model);
  if (status !== undefined) select = select.where('status', '=', status);
  const rows = await select
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit);
  return { items, nextCursor: rows.length > limit ? items.at(-1)?.id : undefined };
}

/** Moves a queued experiment to running; repeats change nothing. Throws when it has ended. */
export function startExperiment(db: Db, id: string): Promise<Experiment> {
  return inTransaction(db, async (trx) => {
    const experiment = await lockExperimentOrThrow(trx, id);
    if (experiment.status === 'running') return experiment;
    if (!NEXT[experiment.status].includes('running')) {
      throw new ExperimentError(
        'experiment.ended',
        `experiment ${id} has ended (${experiment.status}) and cannot run again`,
      );
    }
    return trx
      .updateTable('experiment')
      .set({ status: 'running', started_at: sql`now()` })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

export interface ExperimentEnd {
  readonly status: TerminalStatus;
  readonly message: string;
  /** Payload of the event `done`. */
  readonly payload?: Readonly<Record<string, unknown>>;
}

/**
 * Ends an experiment: status, event `done`, audit and outbox message in one transaction. The first
 * end stays: a repeat, or another end that comes later, changes nothing (`changed: false`).
 */
export function endExperiment(
  db: Db,
  id: string,
  end: ExperimentEnd,
): Promise<{ experiment: Experiment; changed: boolean }> {
  return inTransaction(db, async (trx) => {
    const before = await lockExperimentOrThrow(trx, id);
    if (isTerminal(before.status)) return { experiment: before, changed: false };
    const experiment = await trx
      .updateTable('experiment')
      .set({ status: end.status, message: end.message, finished_at: sql`now()` })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    if (end.status === 'failed' || end.status === 'cancelled') {
      await abandonSearchesOf(trx, id, { state: end.status, message: end.message });
    }
    await appendEvent(trx, {
      experimentId: id,
      kind: 'done',
      payload: { ...end.payload, status: end.status, message: end.message },
      dedupeKey: 'done',
    });
    await recordAudit(trx, {
      actor: 'workflow',
      action: `experiment.${end.status}`,
      object: `experiment/${id}`,
      before: { status: before.status },
      after: { status: end.status, message: end.message },
      workflowId: experiment.workflow_id,
    });
    await enqueueOutbox(trx, { kind: 'experiment-finished', experimentId: id });
    return { experiment, changed: true };
  });
}

async function lockExperimentOrThrow(trx: Trx, id: string): Promise<Experiment> {
  const experiment = await trx
    .selectFrom('experiment')
    .selectAll()
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (!experiment) {
    throw new ExperimentError('experiment.unknown', `there is no experiment ${id}`);
  }
  return experiment;
}

export interface NewExperimentEvent {
  readonly experimentId: string;
  readonly kind: 'stage' | 'epoch' | 'finding' | 'verdict' | 'note' | 'done';
  readonly stage?: string;
  readonly model?: string;
  readonly seed?: number;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Same key, one row: repeats of an activity do not repeat its events. */
  readonly dedupeKey?: string;
}

/**
 * Appends one row of progress. Writers of one experiment take turns (its row is locked), so `seq`
 * becomes visible in order: a reader that resumes after the last `seq` it saw misses nothing.
 */
export function appendEvent(db: Db, event: NewExperimentEvent): Promise<void> {
  return inTransaction(db, async (trx) => {
    await lockExperimentOrThrow(trx, event.experimentId);
    const inserted = await trx
      .insertInto('experiment_event')
      .values({
        experiment_id: event.experimentId,
        kind: event.kind,
        stage: event.stage ?? null,
        model: event.model ?? null,
        seed: event.seed ?? null,
        payload: JSON.stringify(event.payload),
        dedupe_key: event.dedupeKey ?? null,
      })
      .onConflict((oc) => oc.columns(['experiment_id', 'dedupe_key']).doNothing())
      .returning('seq')
      .executeTakeFirst();
    if (!inserted) return;
    await sql`SELECT pg_notify(${EXPERIMENT_EVENT_CHANNEL}, ${event.experimentId})`.execute(trx);
  });
}

/** `events` of the activities' dependencies. */
export function experimentEvents(db: Db): { append(event: NewExperimentEvent): Promise<void> } {
  return { append: (event) => appendEvent(db, event) };
}

/** Rows after `afterSeq` ('0': all) in order, at most `limit`. */
export function readEvents(
  db: Db,
  experimentId: string,
  { afterSeq = '0', limit = PAGE_MAX, kind }: EventQuery = {},
): Promise<ExperimentEvent[]> {
  let select = db
    .selectFrom('experiment_event')
    .selectAll()
    .where('experiment_id', '=', experimentId)
    .where('seq', '>', afterSeq);
  if (kind !== undefined) select = select.where('kind', '=', kind);
  return select.orderBy('seq').limit(limit).execute();
}

export interface EventQuery {
  readonly afterSeq?: string;
  readonly limit?: number;
  readonly kind?: NewExperimentEvent['kind'];
}
