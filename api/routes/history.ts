import { createRoute, z } from '@hono/zod-openapi';
import { LIFECYCLE_EVENT_KINDS, listLifecycleEvents } from '../../registry/lifecycle-events.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import { HTTP } from '../errors.ts';
import { nextCursor, pageAnswer, pageQuery } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import { iso, modelParam, sequenceText } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const eventSchema = z
  .object({
    seq: z.string(),
    at: z.string().describe('Wall time.'),
    asOf: z.string().nullable().describe('Market time; null: a person acted outside of it.'),
    kind: z.enum(LIFECYCLE_EVENT_KINDS),
    version: z.int().nullable(),
    actor: z.string(),
    words: z.string(),
    payload: z.record(z.string(), z.unknown()),
  })
  .openapi('LifecycleEvent');

/** The story of a model. */
export function historyRoutes(app: App, parts: ApiParts): void {
  const history = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/history',
    tags: ['lifecycle'],
    summary: 'The story of a model, newest first',
    request: {
      params: modelParam,
      query: z.object({
        ...pageQuery(sequenceText),
        kind: z.enum(LIFECYCLE_EVENT_KINDS).optional(),
      }),
    },
    responses: {
      [HTTP.ok]: pageAnswer(eventSchema),
    },
  });
  app.openapi(secured(parts.auth, history), async (c) => {
    const { name: model } = c.req.valid('param');
    await getModelOrThrow(parts.db, model);
    const query = c.req.valid('query');
    const rows = await listLifecycleEvents(parts.db, { model, ...query });
    const items = rows.map((row) => ({
      seq: row.seq,
      at: row.at.toISOString(),
      asOf: iso(row.as_of),
      kind: row.kind as z.infer<typeof eventSchema>['kind'],
      version: row.version,
      actor: row.actor,
      words: row.words,
      payload: row.payload,
    }));
    const next = nextCursor(rows, query.limit, ({ seq }) => seq);
    return c.json({ items, nextCursor: next }, HTTP.ok);
  });
}
