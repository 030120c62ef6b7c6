import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { partCount, type RangeFormat } from '../../core/ranges/index.ts';
import { canonicalJson } from '../../core/spec/index.ts';
import { putJson } from '../../registry/artifacts.ts';
import { batchPredictionOrThrow, createBatchPrediction } from '../../registry/batch-predictions.ts';
import { workflowIds } from '../../workflows/messages.ts';
import { askStore } from '../ask-store.ts';
import {
  BATCH_PREDICTIONS,
  batchPredictionFor,
  batchPredictionView,
} from '../batch-prediction-access.ts';
import { ApiError, HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { startRecorded } from '../recorded-start.ts';
import type { Env } from '../secure.ts';
import type { RangeQuestion } from './question.ts';

export interface HandedIn {
  readonly question: RangeQuestion;
  readonly format: RangeFormat;
  readonly idempotencyKey: string | undefined;
  /** What the caller sent. */
  readonly body: object;
}

/** Seconds after which looking again is worth it. */
const LOOK_AGAIN_S = '2';

/**
 * A range as a workflow: 202 with where its answer will be. The same asked again by the same key gives the same one, unless that
 * failed or was cancelled.
 */
export async function handInRange(
  parts: ApiParts,
  c: Context<Env>,
  { question, format, idempotencyKey, body }: HandedIn,
): Promise<Response> {
  const { facts, asOf, after } = question;
  if (after) throw noCursor();
  const { caller, requestId } = c.var;
  const stored = await askStore(parts, (store) => putJson(store, facts));
  const { model, version } = facts;
  const size = { instruments: facts.instruments.length, instants: asOf.length };
  const id = await startRecorded(parts, {
    ...{ idempotencyKey, body: { ...body, format } },
    route: `POST /api/v1/ml-models/${model}/batch-predict`,
    insert: (trx, made) =>
      createBatchPrediction(trx, {
        ...{ id: made, model, version, format, keyId: caller.keyId, requestId },
        ...{ questionUri: stored.uri, contentHash: contentHash(question, format) },
        ...{ rows: size.instruments * size.instants, parts: partCount(size) },
        workflowId: workflowIds.predictBatch(made),
      }),
    isQueued: async (made) => (await batchPredictionOrThrow(parts.db, made)).status === 'queued',
    start: (made) => parts.orchestrator.startBatchPrediction(made),
  });
  const row = await batchPredictionFor(parts, caller, id);
  c.header('location', `${BATCH_PREDICTIONS}/${id}`);
  c.header('retry-after', LOOK_AGAIN_S);
  c.header('cache-control', 'no-store');
  c.header('preference-applied', 'respond-async');
  return c.json(batchPredictionView(row), HTTP.accepted);
}

/** Of all that decides the rows, but not of when it was asked: a later session that is known by then makes it another question. */
function contentHash({ facts, asOf }: RangeQuestion, format: RangeFormat): string {
  const { knownBy: _clock, ...decides } = facts;
  const content = { ...decides, format, instants: asOf.length, last: asOf.at(-1) };
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}

const noCursor = (): ApiError =>
  new ApiError(
    'unprocessable',
    'range.handed-in',
    'What a workflow answers is whole: leave out the cursor. `GET .../rows` goes on where a download was cut.',
    { issues: [{ path: '/cursor', message: 'not with `Prefer: respond-async`' }] },
  );
