/** Predictions of many instants that a workflow computes. Their rows hold no answer: those are artifacts. */
import { sql, type Selectable } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import { PAGE_MAX, recordAudit } from './audit.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import {
  appendRunEvent,
  readRunEvents,
  type NewRunEvent,
  type RunEvent,
  type RunEvents,
} from './run-events.ts';
import type {
  BatchPredictionEventTable,
  BatchPredictionPartTable,
  BatchPredictionStatus,
  BatchPredictionTable,
} from './tables.ts';

export type BatchPrediction = Selectable<BatchPredictionTable>;
export type BatchPredictionPart = Selectable<BatchPredictionPartTable>;
export type BatchPredictionEvent = RunEvent<BatchPredictionEventTable['kind']>;

export interface NewBatchPrediction {
  /** ULID. */
  readonly id: string;
  readonly model: string;
  readonly version: number | 'then';
  readonly format: BatchPrediction['format'];
  readonly keyId: string;
  readonly contentHash: string;
  readonly questionUri: string;
  readonly rows: number;
  readonly parts: number;
  readonly workflowId: string;
  readonly requestId: string | undefined;
}

/** So many of one key may be open at once: each keeps workers busy, some for hours. */
export const OPEN_BATCH_PREDICTIONS = 4;

/**
 * Writes what was asked for, with its audit. One of the same key and content that is open or completed stands for it:
 * nothing is written then. Throws `batch-prediction.too-many`.
 *
 * @returns the id of the row that answers the question
 */
export async function createBatchPrediction(trx: Trx, input: NewBatchPrediction): Promise<string> {
  const { id, model, version, format, keyId, contentHash, questionUri, rows, parts } = input;
  // Those who ask at once take turns, so that each sees what the one before it wrote.
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`predict-batch-of/${keyId}`}, 0))`.execute(
    trx,
  );
  const same = await trx
    .selectFrom('batch_prediction')
    .select('id')
    .where('key_id', '=', keyId)
    .where('content_hash', '=', contentHash)
    .where('status', 'in', ['queued', 'running', 'completed'])
    .orderBy('id', 'desc')
    .executeTakeFirst();
  if (same) return same.id;
  await checkOpen(trx, keyId);
  await trx
    .insertInto('batch_prediction')
    .values({
      ...{ id, model, format, rows, parts, status: 'queued' as const },
      version: version === 'then' ? null : version,
      key_id: keyId,
      content_hash: contentHash,
      request_id: input.requestId ?? null,
      question_uri: questionUri,
    })
    .execute();
  await recordAudit(trx, {
    actor: keyId,
    action: 'batch-prediction.create',
    object: `batch-prediction/${id}`,
    after: { model, version, format, rows },
    requestId: input.requestId,
    workflowId: input.workflowId,
  });
  return id;
}

async function checkOpen(trx: Trx, keyId: string): Promise<void> {
  const { open } = await trx
    .selectFrom('batch_prediction')
    .select((eb) => eb.fn.countAll<string>().as('open'))
    .where('key_id', '=', keyId)
    .where('finished_at', 'is', null)
    .executeTakeFirstOrThrow();
  if (Number(open) < OPEN_BATCH_PREDICTIONS) return;
  const message = `${open} batches of this key have not ended; wait for one, or cancel it`;
  throw new RatchetError('batch-prediction.too-many', message, { permanent: false });
}

/** Throws `batch-prediction.unknown`. */
export async function batchPredictionOrThrow(db: Db, id: string): Promise<BatchPrediction> {
  const row = await db
    .selectFrom('batch_prediction')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  if (row) return row;
  throw new RatchetError('batch-prediction.unknown', `there is no batch prediction ${id}`);
}

export interface BatchPredictionQuery {
  readonly limit: number;
  readonly model?: string | undefined;
  readonly status?: BatchPredictionStatus | undefined;
  /** Only those of this key. */
  readonly keyId?: string | undefined;
  /** Only those of these models; empty: of all. */
  readonly models: readonly string[];
  /** Id of the last one of the page before. */
  readonly before?: string | undefined;
}

/** Newest first. */
export function listBatchPredictions(
  db: Db,
  { limit, model, status, keyId, models, before }: BatchPredictionQuery,
): Promise<BatchPrediction[]> {
  return db
    .selectFrom('batch_prediction')
    .selectAll()
    .$if(model !== undefined, (q) => q.where('model', '=', model ?? ''))
    .$if(models.length > 0, (q) => q.where('model', 'in', models))
    .$if(keyId !== undefined, (q) => q.where('key_id', '=', keyId ?? ''))
    .$if(status !== undefined, (q) => q.where('status', '=', status ?? 'queued'))
    .$if(before !== undefined, (q) => q.where('id', '<', before ?? ''))
    .orderBy('id', 'desc')
    .limit(Math.min(limit, PAGE_MAX))
    .execute();
}

/** Says that it is under way; one that ended stays as it ended. */
export async function beginBatchPrediction(db: Db, id: string): Promise<BatchPrediction> {
  await db
    .updateTable('batch_prediction')
    .set({ status: 'running' })
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .execute();
  return batchPredictionOrThrow(db, id);
}

/** Undefined: it is not computed yet. */
export function findBatchPart(
  db: Db,
  id: string,
  n: number,
): Promise<BatchPredictionPart | undefined> {
  return db
    .selectFrom('batch_prediction_part')
    .selectAll()
    .where('batch_prediction_id', '=', id)
    .where('n', '=', n)
    .executeTakeFirst();
}

/** In order of their rows. */
export function listBatchParts(db: Db, id: string): Promise<BatchPredictionPart[]> {
  return db
    .selectFrom('batch_prediction_part')
    .selectAll()
    .where('batch_prediction_id', '=', id)
    .orderBy('n')
    .execute();
}

/** Writes a part that is computed, counts it, and says so as an event. The first one that comes stays. */
export function recordBatchPart(db: Db, part: BatchPredictionPart): Promise<void> {
  const { batch_prediction_id: id, n, rows, failed_rows: failed, bytes } = part;
  return inTransaction(db, async (trx) => {
    const written = await trx
      .insertInto('batch_prediction_part')
      .values(part)
      .onConflict((oc) => oc.columns(['batch_prediction_id', 'n']).doNothing())
      .executeTakeFirst();
    if (written.numInsertedOrUpdatedRows === 0n) return;
    const counts = await trx
      .updateTable('batch_prediction')
      .set({
        rows_done: sql`rows_done + ${rows}`,
        parts_done: sql`parts_done + 1`,
        failed_rows: sql`failed_rows + ${failed}`,
      })
      .where('id', '=', id)
      .returning(['rows_done as rowsDone', 'parts_done as partsDone'])
      .executeTakeFirstOrThrow();
    const payload = { part: n, rows, failed, bytes, ...counts };
    await appendBatchEvent(trx, id, { kind: 'part', key: `part/${n}`, payload });
  });
}

export type BatchPredictionEnd =
  | {
      readonly status: 'completed';
      readonly manifestUri: string;
      readonly sha256: string;
      readonly bytes: number;
    }
  | { readonly status: 'failed' | 'cancelled'; readonly message: string };

/** Writes how it ended, and that as its last event. The first end stays. */
export function endBatchPrediction(db: Db, id: string, end: BatchPredictionEnd): Promise<void> {
  const { status } = end;
  const found =
    end.status === 'completed'
      ? { manifest_uri: end.manifestUri, sha256: end.sha256, bytes: end.bytes }
      : { message: end.message };
  return inTransaction(db, async (trx) => {
    const ended = await trx
      .updateTable('batch_prediction')
      .set({ status, finished_at: sql`now()`, ...found })
      .where('id', '=', id)
      .where('status', 'in', ['queued', 'running'])
      .executeTakeFirst();
    if (ended.numUpdatedRows === 0n) return;
    const payload = { status, message: 'message' in end ? end.message : null };
    await appendBatchEvent(trx, id, { kind: 'done', key: 'done', payload });
  });
}

const EVENTS: RunEvents = {
  table: 'batch_prediction_event',
  owner: 'batch_prediction_id',
  prefix: 'predict-batch',
};

/** Appends one row of progress. */
export const appendBatchEvent = (
  db: Db | Trx,
  id: string,
  event: NewRunEvent<BatchPredictionEvent['kind']>,
): Promise<void> => appendRunEvent(db, EVENTS, id, event);

/** Rows after `after` ('0': all) in order. */
export const readBatchEvents = (
  db: Db,
  id: string,
  page?: { readonly after?: string; readonly limit?: number },
): Promise<readonly BatchPredictionEvent[]> => readRunEvents(db, EVENTS, id, page);
