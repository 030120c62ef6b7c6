import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { RatchetError } from '../core/errors.ts';
import { rowProblemOf } from '../core/problems.ts';
import {
  CONTENT_TYPES,
  countedIn,
  encoderOf,
  instantsOf,
  rangeFactsSchema,
  spansOfPart,
  type RangeFacts,
} from '../core/ranges/index.ts';
import { getJson, putJson, refOf, sha256OfUri } from '../registry/artifacts.ts';
import type { BatchManifest } from '../registry/batch-manifest.ts';
import {
  appendBatchEvent,
  batchPredictionOrThrow,
  beginBatchPrediction,
  endBatchPrediction,
  findBatchPart,
  listBatchParts,
  recordBatchPart,
  type BatchPrediction,
  type BatchPredictionPart,
} from '../registry/batch-predictions.ts';
import { pastAnswers } from '../registry/past-answers.ts';
import { rangeRows } from '../registry/range-rows.ts';
import type {
  AnsweredPart,
  AnswerPartInput,
  BatchPredictionRef,
  BatchPredictionResult,
  FailBatchPredictionInput,
  PlannedParts,
} from './contracts-batch-prediction.ts';
import type { ActivityDeps } from './deps.ts';
import { whileBeating } from './heartbeat.ts';
import { keepPackages } from './kept-packages.ts';
import { pastPartsOf } from './past-parts.ts';

export type BatchPredictionDeps = Pick<
  ActivityDeps,
  'db' | 'artifacts' | 'datasets' | 'trustedKeys' | 'log'
>;

/** Predictions of many instants, part by part. All may run twice: rows and the bytes' digests decide, not the call. */
export function createBatchPredictionActivities(deps: BatchPredictionDeps) {
  const { db } = deps;
  return {
    /** Marks it as running; gives how many parts there are. */
    async planBatchPrediction({ batchPredictionId }: BatchPredictionRef): Promise<PlannedParts> {
      const { rows, parts } = await beginBatchPrediction(db, batchPredictionId);
      const payload = { rows, parts };
      await appendBatchEvent(db, batchPredictionId, { kind: 'plan', key: 'plan', payload });
      return { parts };
    },

    /** Computes a part, unless it is there. Errors: `version.unknown`, `predict.*` of a model that cannot answer at all. */
    async answerPart({ batchPredictionId, part }: AnswerPartInput): Promise<AnsweredPart> {
      const known = await findBatchPart(db, batchPredictionId, part);
      if (known) return { part, answers: answersOf(known), cached: true };
      const row = await openOrThrow(deps, batchPredictionId);
      const computed = await computePart(deps, row, part);
      await recordBatchPart(db, computed);
      return { part, answers: answersOf(computed), cached: false };
    },

    /** Puts the parts together, once all are there; reads each, so that none is missing or altered. */
    async finishBatchPrediction({
      batchPredictionId: id,
    }: BatchPredictionRef): Promise<BatchPredictionResult> {
      const row = await batchPredictionOrThrow(db, id);
      const manifest = await manifestOf(deps, row);
      const stored = await putJson(deps.artifacts, manifest);
      const { sha256, bytes, rows, failed } = manifest;
      await endBatchPrediction(db, id, {
        ...{ status: 'completed', manifestUri: stored.uri, sha256, bytes },
      });
      return { rows, failed, manifest: stored };
    },

    async failBatchPrediction(input: FailBatchPredictionInput): Promise<void> {
      const { batchPredictionId, status, reason } = input;
      await endBatchPrediction(db, batchPredictionId, { status, message: reason });
    },
  };
}

const answersOf = ({ uri, bytes, rows }: BatchPredictionPart): AnsweredPart['answers'] => ({
  ...{ uri, sha256: sha256OfUri(uri), bytes, rows },
});

/** A late attempt of one that has ended computes nothing. */
async function openOrThrow({ db }: BatchPredictionDeps, id: string): Promise<BatchPrediction> {
  const row = await batchPredictionOrThrow(db, id);
  if (row.status === 'queued' || row.status === 'running') return row;
  throw new RatchetError('batch-prediction.ended', `the batch prediction ${id} is ${row.status}`);
}

async function factsOf(
  { artifacts }: BatchPredictionDeps,
  row: BatchPrediction,
): Promise<RangeFacts> {
  const ref = refOf(sha256OfUri(row.question_uri));
  return rangeFactsSchema.parse(await getJson(artifacts, ref));
}

/** Reports how far it is, and throws where the activity was cancelled. */
async function breathe(rows: number): Promise<void> {
  const context = Context.current();
  context.heartbeat({ rows });
  if (context.cancellationSignal.aborted) await context.cancelled;
}

async function computePart(
  deps: BatchPredictionDeps,
  row: BatchPrediction,
  n: number,
): Promise<BatchPredictionPart> {
  const facts = await factsOf(deps, row);
  const asOf = instantsOf(facts);
  const spans = spansOfPart({ instruments: facts.instruments.length, instants: asOf.length }, n);
  const encoder = await encoderOf(row.format, facts.shape);
  const packages = keepPackages(pastPartsOf(deps));
  const chunks: Uint8Array[] = [];
  let [rows, failed, first, last] = [0, 0, '', ''];
  const compute = async (): Promise<void> => {
    const ask = pastAnswers.bind(undefined, packages.parts);
    for await (const batch of rangeRows(ask, facts, asOf, spans, rowProblemOf)) {
      chunks.push(encoder.rows(batch));
      const counted = countedIn(batch);
      rows += counted.rows;
      failed += counted.failed;
      first ||= batch[0]!.cursor;
      last = batch.at(-1)!.cursor;
      await breathe(rows);
    }
  };
  try {
    await whileBeating(Context.current(), compute);
  } finally {
    await packages.close();
  }
  const { uri, bytes } = await deps.artifacts.put(Buffer.concat(chunks), rows);
  const counts = { rows, failed_rows: failed, first_cursor: first, last_cursor: last };
  return { batch_prediction_id: row.id, n, uri, bytes, ...counts };
}

async function manifestOf(deps: BatchPredictionDeps, row: BatchPrediction): Promise<BatchManifest> {
  const { artifacts } = deps;
  const facts = await factsOf(deps, row);
  const parts = await listBatchParts(deps.db, row.id);
  if (parts.length !== row.parts) {
    const message = `${parts.length} of ${row.parts} parts of ${row.id} are there`;
    throw new RatchetError('batch-prediction.incomplete', message);
  }
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const failed = parts.reduce((sum, part) => sum + part.failed_rows, 0);
  const encoder = await encoderOf(row.format, facts.shape);
  const whole = createHash('sha256').update(encoder.head);
  for (const [n, { uri }] of parts.entries()) {
    whole.update(await artifacts.get(refOf(sha256OfUri(uri))));
    await breathe(n);
  }
  const ends = encoder.tail({ rows, failed });
  const [head, tail] = [await artifacts.put(encoder.head), await artifacts.put(ends)];
  return {
    ...{ model: row.model, version: facts.version, format: row.format },
    ...{ contentType: CONTENT_TYPES[row.format], question: row.question_uri, rows, failed },
    sha256: whole.update(ends).digest('hex'),
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, head.bytes + tail.bytes),
    head,
    parts: parts.map((part) => ({
      ...{ uri: part.uri, sha256: sha256OfUri(part.uri), bytes: part.bytes, rows: part.rows },
      ...{ failed: part.failed_rows, firstCursor: part.first_cursor, lastCursor: part.last_cursor },
    })),
    tail,
  };
}
