import { createRoute, z } from '@hono/zod-openapi';
import { getModelOrThrow } from '../../registry/models.ts';
import { listPredictions, type Prediction } from '../../registry/predictions.ts';
import { HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import {
  instant,
  instrumentId,
  jsonAnswer,
  limitQuery,
  modelParam,
  ulidSchema,
  versionNumber,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const roleSchema = z.enum(['champion', 'canary', 'shadow', 'pinned']);
const recordedSchema = z
  .object({
    id: z.string(),
    at: z.string(),
    batchId: z.string(),
    model: z.string(),
    version: z.int(),
    generation: z.int(),
    instrument: z.string(),
    asOf: z.string(),
    requestId: z.string(),
    durationMs: z.number(),
    role: roleSchema.describe(
      '`champion` and `canary` (the challenger of a trial) were answered; `shadow` was computed beside an ' +
        'answer and given to nobody; `pinned` was answered by a version that the caller named.',
    ),
    input: z.enum(['instrument', 'bars', 'window']),
    pairId: z.string().nullable().describe('The answered prediction it was computed beside.'),
    trialId: z.string().nullable(),
    error: z
      .string()
      .nullable()
      .describe('Why the version could not answer; `answer` is then empty.'),
    answer: z.record(z.string(), z.unknown()),
  })
  .openapi('RecordedPrediction');

const view = (row: Prediction): z.infer<typeof recordedSchema> => ({
  id: row.id,
  at: row.at.toISOString(),
  batchId: row.batch_id,
  model: row.model,
  version: row.version,
  generation: row.generation,
  instrument: row.instrument,
  asOf: row.as_of.toISOString(),
  requestId: row.request_id,
  durationMs: row.duration_ms,
  role: row.role,
  input: row.input,
  pairId: row.pair_id,
  trialId: row.trial_id,
  error: row.error,
  answer: row.answer as Record<string, unknown>,
});

const CURSOR = /^(\d{4}-\d{2}-\d{2}T[\d:.]+Z)_([0-9A-Z]{26})$/;

/** Recorded predictions, for people and for those who judge them. */
export function predictionListRoute(app: App, parts: ApiParts): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/predictions',
    tags: ['predict'],
    summary: 'Recorded predictions, newest first',
    request: {
      params: modelParam,
      query: z.object({
        limit: limitQuery,
        instrument: instrumentId.optional(),
        version: z.coerce.number().pipe(versionNumber).optional(),
        role: roleSchema
          .optional()
          .describe('Default: all that were answered. `shadow`, `canary`: failures too.'),
        from: instant.optional(),
        to: instant.optional(),
        cursor: z.string().regex(CURSOR, '`nextCursor` of the page before').optional(),
      }),
    },
    responses: {
      [HTTP.ok]: jsonAnswer(
        z.object({ items: z.array(recordedSchema), nextCursor: z.string().nullable() }),
        'One page',
      ),
    },
  });
  app.openapi(secured(parts.auth, list), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(parts.db, name);
    const { limit, instrument, version, role, from, to, cursor } = c.req.valid('query');
    const match = cursor === undefined ? null : CURSOR.exec(cursor);
    const rows = await listPredictions(parts.db, {
      model: name,
      instrument,
      version,
      role,
      limit,
      from: from === undefined ? undefined : new Date(from),
      to: to === undefined ? undefined : new Date(to),
      before: match ? { at: new Date(match[1]!), id: ulidSchema.parse(match[2]) } : undefined,
    });
    const last = rows.length === limit ? rows.at(-1) : undefined;
    const nextCursor = last ? `${last.at.toISOString()}_${last.id}` : null;
    return c.json({ items: rows.map(view), nextCursor }, HTTP.ok);
  });
}
