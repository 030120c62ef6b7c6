import { createRoute, z } from '@hono/zod-openapi';
import {
  batchPredictionOrThrow,
  endBatchPrediction,
  listBatchPredictions,
  readBatchEvents,
  type BatchPredictionEvent,
} from '../../registry/batch-predictions.ts';
import { hasScope } from '../auth.ts';
import {
  BATCH_PREDICTIONS,
  BATCH_STATUSES,
  batchPredictionFor,
  batchPredictionSchema,
  batchPredictionView,
} from '../batch-prediction-access.ts';
import { HTTP } from '../errors.ts';
import { eventsRoute } from '../events-route.ts';
import type { ApiParts } from '../parts.ts';
import { cancelRecorded, isOver } from '../recorded-end.ts';
import { jsonAnswer, limitQuery, modelName, ulidSchema } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const params = z.object({ id: ulidSchema });
const WHOSE = 'For the key that asked, and admins.';

/** Predictions that a workflow computes: list, read, follow, cancel. They are asked for with `batch-predict`. */
export function batchPredictionRoutes(app: App, parts: ApiParts): void {
  listRoute(app, parts);
  readRoute(app, parts);
  eventRoute(app, parts);
  cancelRoute(app, parts);
}

function listRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: BATCH_PREDICTIONS,
    tags: ['predict'],
    summary: 'Batch predictions, newest first',
    description: 'Those of the key that asks; of an admin all.',
    request: {
      query: z.object({
        limit: limitQuery,
        before: ulidSchema.optional().describe('`nextCursor` of the page before.'),
        status: z.enum(BATCH_STATUSES).optional(),
        model: modelName.optional(),
      }),
    },
    responses: {
      [HTTP.ok]: jsonAnswer(
        z.object({ items: z.array(batchPredictionSchema), nextCursor: z.string().nullable() }),
        'One page',
      ),
    },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const query = c.req.valid('query');
    const { caller } = c.var;
    const keyId = hasScope(caller, 'admin') ? undefined : caller.keyId;
    const rows = await listBatchPredictions(parts.db, { ...query, keyId, models: caller.models });
    const nextCursor = rows.length === query.limit ? (rows.at(-1)?.id ?? null) : null;
    return c.json({ items: rows.map(batchPredictionView), nextCursor }, HTTP.ok);
  });
}

function readRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: `${BATCH_PREDICTIONS}/{id}`,
    tags: ['predict'],
    summary: 'How far a batch prediction is',
    description: WHOSE,
    request: { params },
    responses: { [HTTP.ok]: jsonAnswer(batchPredictionSchema, 'State and counts') },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const row = await batchPredictionFor(parts, c.var.caller, c.req.valid('param').id);
    return c.json(batchPredictionView(row), HTTP.ok);
  });
}

const eventSchema = z
  .object({
    seq: z.string(),
    at: z.string(),
    kind: z.enum(['plan', 'part', 'done']),
    payload: z.record(z.string(), z.unknown()),
  })
  .openapi('BatchPredictionEvent');
const eventView = (event: BatchPredictionEvent): z.infer<typeof eventSchema> => ({
  ...{ seq: event.seq, kind: event.kind, payload: { ...event.payload } },
  at: event.at.toISOString(),
});

function eventRoute(app: App, parts: ApiParts): void {
  const { db } = parts;
  eventsRoute(app, parts, {
    path: `${BATCH_PREDICTIONS}/{id}`,
    params,
    tag: 'predict',
    summary: 'Progress of a batch prediction, as a stream or a page',
    event: eventSchema,
    sourceFor: async (caller, id) => {
      await batchPredictionFor(parts, caller, id);
      return {
        ended: async () => isOver(await batchPredictionOrThrow(db, id)),
        read: (after, limit) => readBatchEvents(db, id, { after, limit }),
        view: eventView,
      };
    },
  });
}

function cancelRoute(app: App, parts: ApiParts): void {
  const { db, orchestrator } = parts;
  const route = createRoute({
    method: 'post',
    path: `${BATCH_PREDICTIONS}/{id}/cancel`,
    tags: ['predict'],
    summary: 'Stop a batch prediction',
    description: `${WHOSE} Nothing of it can be read then.`,
    request: { params },
    responses: { [HTTP.accepted]: jsonAnswer(batchPredictionSchema, 'Asked to stop') },
  });
  app.openapi(secured(parts.auth, route, { problems: ['conflict'] }), async (c) => {
    const { id } = c.req.valid('param');
    const row = await batchPredictionFor(parts, c.var.caller, id);
    await cancelRecorded(
      'batch-prediction',
      row,
      (one) => orchestrator.cancelBatchPrediction(one),
      (end) => endBatchPrediction(db, id, end),
    );
    return c.json(batchPredictionView(await batchPredictionOrThrow(db, id)), HTTP.accepted);
  });
}
