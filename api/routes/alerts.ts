import { createRoute, z } from '@hono/zod-openapi';
import { ulid } from 'ulid';
import { ALERT_EVENTS, composeAlert } from '../../core/alerts/index.ts';
import {
  alertWithDeliveries,
  listAlerts,
  recordAlert,
  type AlertDelivery,
  type AlertWithDeliveries,
} from '../../registry/alerts.ts';
import { recordAudit } from '../../registry/audit.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { mayUseModel, requireAllModels, type Caller } from '../auth.ts';
import { HTTP, notFound } from '../errors.ts';
import { nextCursor, pageAnswer, pageQuery } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import { iso, jsonAnswer, jsonRequest, modelName } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const alertId = z.string().regex(/^alert_[0-9a-f]{32}$/, 'the id of an alert');
const eventSchema = z.enum(ALERT_EVENTS);

const deliverySchema = z
  .object({
    webhook: z.string(),
    status: z
      .enum(['pending', 'delivered', 'failed', 'refused'])
      .describe('pending: tried again, for a day; refused: by its address or settings.'),
    attempts: z.int(),
    lastError: z.string().nullable(),
    deliveredAt: z.string().nullable(),
  })
  .openapi('AlertDelivery');

const alertSchema = z
  .object({
    id: z.string().describe('`webhook-id` of each attempt.'),
    event: eventSchema,
    model: z.string().nullable(),
    asOf: z.string().nullable().describe('Market time.'),
    createdAt: z.string(),
    words: z.string(),
    evidence: z.string().nullable().describe('Path of this API.'),
    facts: z.record(z.string(), z.unknown()),
    deliveries: z.array(deliverySchema).describe('Empty: no webhook wants it.'),
  })
  .openapi('Alert');

const delivered = (row: AlertDelivery): z.infer<typeof deliverySchema> => ({
  webhook: row.webhook,
  status: row.status,
  attempts: row.attempts,
  lastError: row.last_error,
  deliveredAt: iso(row.delivered_at),
});

const view = (alert: AlertWithDeliveries): z.infer<typeof alertSchema> => ({
  id: alert.id,
  event: alert.event,
  model: alert.model,
  asOf: alert.asOf,
  createdAt: alert.createdAt.toISOString(),
  words: alert.payload.words,
  evidence: alert.payload.evidence,
  facts: alert.payload.facts,
  deliveries: alert.deliveries.map(delivered),
});

/** A key for some models sees theirs; what is of no model is for keys of all. */
const maySee = (caller: Caller, { model }: AlertWithDeliveries): boolean =>
  model === null ? caller.models.length === 0 : mayUseModel(caller, model);

/** What happened that somebody should know, and who was told. */
export function alertRoutes(app: App, parts: ApiParts): void {
  listRoute(app, parts);
  oneRoute(app, parts);
  testRoute(app, parts);
}

function listRoute(app: App, { auth, db }: ApiParts): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/alerts',
    tags: ['alerts'],
    summary: 'Alerts and their deliveries, newest first',
    request: {
      query: z.object({
        ...pageQuery(alertId),
        model: modelName.optional(),
        event: eventSchema.optional(),
      }),
    },
    responses: {
      [HTTP.ok]: pageAnswer(alertSchema),
    },
  });
  app.openapi(secured(auth, list), async (c) => {
    const { caller } = c.var;
    const query = c.req.valid('query');
    const models = caller.models.length === 0 ? undefined : caller.models;
    const alerts = await listAlerts(db, { ...query, models });
    const next = nextCursor(alerts, query.limit, ({ id }) => id);
    return c.json({ items: alerts.map(view), nextCursor: next }, HTTP.ok);
  });
}

function oneRoute(app: App, { auth, db }: ApiParts): void {
  const one = createRoute({
    method: 'get',
    path: '/api/v1/alerts/{id}',
    tags: ['alerts'],
    summary: 'One alert and its deliveries',
    request: { params: z.object({ id: alertId }) },
    responses: { [HTTP.ok]: jsonAnswer(alertSchema, 'The alert') },
  });
  app.openapi(secured(auth, one), async (c) => {
    const { id } = c.req.valid('param');
    const alert = await alertWithDeliveries(db, id);
    if (!maySee(c.var.caller, alert)) throw notFound('alert.unknown', `There is no alert ${id}.`);
    return c.json(view(alert), HTTP.ok);
  });
}

function testRoute(app: App, { auth, db, orchestrator }: ApiParts): void {
  const test = createRoute({
    method: 'post',
    path: '/api/v1/alerts/test',
    tags: ['alerts'],
    summary: 'Send a test to every webhook, or to one',
    request: {
      body: jsonRequest(
        z
          .strictObject({
            webhook: z
              .string()
              .min(1)
              .max(63)
              .optional()
              .describe('A name of ratchet.config.yaml; absent: all.'),
          })
          .openapi('AlertTest'),
      ),
    },
    responses: { [HTTP.accepted]: jsonAnswer(z.object({ id: z.string() }), 'It is on its way') },
  });
  app.openapi(secured(auth, test), async (c) => {
    requireAllModels(c.var.caller);
    // A test that nobody can send is not put on record.
    await orchestrator.ping();
    const webhook = c.req.valid('json').webhook ?? null;
    const facts = { model: null, asOf: null, testId: ulid(), webhook };
    const alert = composeAlert('alert.test', facts);
    await inTransaction(db, async (trx) => {
      await recordAlert(trx, alert);
      await recordAudit(trx, {
        actor: c.var.caller.keyId,
        action: 'alert.test',
        object: `alert/${alert.id}`,
        after: { webhook },
        requestId: c.var.requestId,
      });
    });
    await orchestrator.startAlert(alert.id);
    return c.json({ id: alert.id }, HTTP.accepted);
  });
}
