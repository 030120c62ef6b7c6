import { setTimeout as sleep } from 'node:timers/promises';
import { assertNever } from '../core/errors.ts';
import { getExperiment, isTerminal } from './experiments.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import { endRun, mirrorRuns } from './mlflow-runs.ts';
import { mirrorTrials } from './mlflow-trials.ts';
import { mirrorChampion, mirrorVersion, type MirrorParts } from './mlflow-versions.ts';
import { deliverNext, enqueueAgain, type DeliveryResult, type OutboxMessage } from './outbox.ts';

export interface MirrorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface MirrorOptions extends MirrorParts {
  readonly signal: AbortSignal;
  readonly log: MirrorLog;
  /** How often an empty outbox is looked at. */
  readonly idleMs?: number;
}

/** The mirror is for people: seconds do not matter to them, load does. */
const IDLE_MS = 2_000;
/** While MLflow or PostgreSQL is away; the outbox keeps everything meanwhile. */
const AWAY_MS = 5_000;

/**
 * Keeps MLflow equal to what PostgreSQL says, from the outbox, until `signal` aborts. Never throws:
 * MLflow may be away for days. Any number of processes may run it; one delivers at a time.
 */
export async function runMirror(options: MirrorOptions): Promise<void> {
  const { signal, log, client, idleMs = IDLE_MS } = options;
  const pause = (ms: number): Promise<unknown> =>
    sleep(ms, undefined, { signal }).catch(() => undefined);
  let away = false;
  while (!signal.aborted) {
    try {
      await client.ping();
      if (away) log.info({}, 'the mirror goes on');
      away = false;
      if ((await mirrorNext(options)) !== 'delivered') await pause(idleMs);
    } catch (error) {
      // Said once; the state of the outbox is in the metrics.
      if (!away) log.warn({ err: error }, 'the mirror waits: MLflow or PostgreSQL is away');
      away = true;
      await pause(AWAY_MS);
    }
  }
}

/** Delivers everything that is due and stops; for tests and `rebuild`. */
export async function drainMirror(
  parts: MirrorParts & { log?: MirrorLog },
): Promise<DeliveryResult> {
  for (;;) {
    const result = await mirrorNext(parts);
    if (result !== 'delivered') return result;
  }
}

function mirrorNext({ log, ...parts }: MirrorParts & { log?: MirrorLog }): Promise<DeliveryResult> {
  return deliverNext(parts.db, async ({ message, attempts }) => {
    try {
      await mirrorMessage(parts, message);
    } catch (error) {
      log?.warn({ err: error, message, attempts }, 'a delivery to MLflow failed');
      throw error;
    }
  });
}

/** Brings what the message names up to date in MLflow. Safe to repeat at any time. */
export async function mirrorMessage(parts: MirrorParts, message: OutboxMessage): Promise<void> {
  switch (message.kind) {
    case 'version-registered':
      await mirrorVersion(parts, message.model, message.version);
      return;
    case 'champion-changed':
      return mirrorChampion(parts, message.model);
    case 'experiment-finished':
      return mirrorExperiment(parts, message.experimentId);
    default:
      return assertNever(message);
  }
}

/** Loss curves and the end of an experiment, for each model that it trained. */
async function mirrorExperiment({ db, client }: MirrorParts, experimentId: string): Promise<void> {
  const experiment = await getExperiment(db, experimentId);
  if (!experiment || !isTerminal(experiment.status)) return;
  for (const model of await modelsOf(db, experimentId)) {
    const run = await mirrorRuns(client, db, experimentId, model);
    if (!run) continue;
    await mirrorTrials(client, db, experiment, { model, parent: run });
    await client.logBatch(run.info.run_id, {
      tags: { 'ratchet.status': experiment.status, 'ratchet.message': experiment.message ?? '' },
    });
    await endRun(client, run, experiment, experiment.finished_at);
  }
}

/** Models that the experiment has losses, a search or versions of. */
async function modelsOf(db: Db, experimentId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('experiment_event')
    .select('model')
    .where('experiment_id', '=', experimentId)
    .where('kind', '=', 'epoch')
    .where('model', 'is not', null)
    .union(
      db
        .selectFrom('model_version')
        .select('model')
        .where('experiment_id', '=', experimentId)
        .where('status', '!=', 'reserved'),
    )
    .union(db.selectFrom('search').select('model').where('experiment_id', '=', experimentId))
    .execute();
  return rows.flatMap(({ model }) => (model === null ? [] : [model])).sort();
}

/**
 * Enqueues everything there is to mirror again: an MLflow server that lost its data, or a new one, then
 * gets all of it; one that has it is left as it is.
 *
 * @returns number of messages
 */
export function rebuildMirror(db: Db): Promise<number> {
  return inTransaction(db, async (trx) => {
    const messages = await allMessages(trx);
    for (const message of messages) await enqueueAgain(trx, message);
    return messages.length;
  });
}

async function allMessages(trx: Trx): Promise<OutboxMessage[]> {
  const experiments = await trx
    .selectFrom('experiment')
    .select('id')
    .where('finished_at', 'is not', null)
    .orderBy('id')
    .execute();
  const versions = await trx
    .selectFrom('model_version')
    .select(['model', 'version'])
    .where('status', '!=', 'reserved')
    .orderBy('model')
    .orderBy('version')
    .execute();
  const champions = await trx
    .selectFrom('champion')
    .select(['model', 'version', 'generation'])
    .where('valid_to', 'is', null)
    .execute();
  return [
    ...versions.map((row) => ({ kind: 'version-registered' as const, ...row })),
    ...experiments.map(({ id }) => ({ kind: 'experiment-finished' as const, experimentId: id })),
    ...champions.map((row) => ({ kind: 'champion-changed' as const, ...row })),
  ];
}
