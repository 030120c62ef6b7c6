import { createRoute, z } from '@hono/zod-openapi';
import { listAudit } from '../../registry/audit.ts';
import { requireAllModels } from '../auth.ts';
import { HTTP } from '../errors.ts';
import { nextCursor, pageAnswer, pageQuery } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import { jsonAnswer, sequenceText } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const auditSchema = z
  .object({
    id: z.string(),
    at: z.string(),
    actor: z.string(),
    action: z.string(),
    object: z.string(),
    before: z.unknown(),
    after: z.unknown(),
    requestId: z.string().nullable(),
    workflowId: z.string().nullable(),
  })
  .openapi('AuditEntry');

const datasetSchema = z
  .object({
    name: z.string(),
    source: z.string(),
    calendar: z.string(),
    instruments: z.array(z.string()).nullable().describe('null: whatever the source knows.'),
    notice: z.string().nullable(),
  })
  .openapi('Dataset');

/** What happened, and what data a spec may name. */
export function recordRoutes(app: App, parts: ApiParts): void {
  const audit = createRoute({
    method: 'get',
    path: '/api/v1/audit',
    tags: ['audit'],
    summary: 'Who changed what, newest first',
    request: {
      query: z.object({
        ...pageQuery(sequenceText),
        object: z.string().max(200).optional(),
        actor: z.string().max(200).optional(),
      }),
    },
    responses: {
      [HTTP.ok]: pageAnswer(auditSchema),
    },
  });
  app.openapi(secured(parts.auth, audit), async (c) => {
    requireAllModels(c.var.caller);
    const { limit, before, object, actor } = c.req.valid('query');
    const rows = await listAudit(parts.db, {
      limit,
      ...(before === undefined ? {} : { before }),
      ...(object === undefined ? {} : { object }),
      ...(actor === undefined ? {} : { actor }),
    });
    const items = rows.map((row) => ({
      id: row.id,
      at: row.at.toISOString(),
      actor: row.actor,
      action: row.action,
      object: row.object,
      before: row.before,
      after: row.after,
      requestId: row.request_id,
      workflowId: row.workflow_id,
    }));
    return c.json({ items, nextCursor: nextCursor(rows, limit, ({ id }) => id) }, HTTP.ok);
  });

  const datasets = createRoute({
    method: 'get',
    path: '/api/v1/datasets',
    tags: ['datasets'],
    summary: 'Datasets that a spec may name',
    responses: {
      [HTTP.ok]: jsonAnswer(z.object({ items: z.array(datasetSchema) }), 'By name'),
    },
  });
  app.openapi(secured(parts.auth, datasets), (c) => {
    const items = [...parts.datasets.values()]
      .map((dataset) => ({
        name: dataset.name,
        source: dataset.source,
        calendar: dataset.calendar,
        instruments: dataset.instruments ? [...dataset.instruments] : null,
        notice: dataset.notice ?? null,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return c.json({ items }, HTTP.ok);
  });
}
