import { createRoute, z } from '@hono/zod-openapi';
import { recordAudit } from '../../registry/audit.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import {
  createKey,
  isLastAdminKey,
  listKeys,
  revokeKey,
  rotateKey,
  SCOPES,
  type ApiKey,
} from '../../registry/keys.ts';
import { requireAllModels } from '../auth.ts';
import { ApiError, HTTP, notFound } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { instant, iso, jsonAnswer, jsonRequest, modelName } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    models: z.array(z.string()).describe('Models it is for; empty: all.'),
    createdAt: z.string(),
    expiresAt: z.string().nullable(),
    revokedAt: z.string().nullable(),
  })
  .openapi('ApiKey');

const newKeySchema = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    scopes: z
      .array(z.enum(SCOPES))
      .min(1)
      .max(SCOPES.length)
      .refine((scopes) => new Set(scopes).size === scopes.length, 'scopes must differ'),
    models: z.array(modelName).max(256).default([]),
    expiresAt: instant.optional(),
  })
  .openapi('NewApiKey');

const view = (key: ApiKey): z.infer<typeof keySchema> => ({
  id: key.id,
  name: key.name,
  scopes: [...key.scopes],
  models: [...key.models],
  createdAt: key.createdAt.toISOString(),
  expiresAt: iso(key.expiresAt),
  revokedAt: iso(key.revokedAt),
});

const idParam = z.object({ id: z.string().regex(/^[a-z0-9]{10}$/, 'the id part of a key') });

/** A week: long enough for whoever must put the new key in place by hand. */
const GRACE_MAX_MINUTES = 7 * 24 * 60;

const rotateSchema = z
  .strictObject({
    graceMinutes: z
      .int()
      .min(0)
      .max(GRACE_MAX_MINUTES)
      .default(60)
      .describe('How long the old token stays valid; never longer than its own expiry.'),
  })
  .openapi('RotateApiKey');
const rotatedSchema = z
  .object({
    id: z.string(),
    token: z.string(),
    former: z.object({ id: z.string(), expiresAt: z.string().nullable() }),
  })
  .openapi('RotatedApiKey');

/** Keys: made, listed, rotated, revoked. The token is shown once and nowhere kept. */
export function keyRoutes(app: App, parts: ApiParts): void {
  listAndCreate(app, parts);
  rotateRoute(app, parts);
  revokeRoute(app, parts);
}

function listAndCreate(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const list = createRoute({
    method: 'get',
    path: '/api/v1/keys',
    tags: ['keys'],
    summary: 'All keys, newest first',
    responses: { [HTTP.ok]: jsonAnswer(z.object({ items: z.array(keySchema) }), 'The keys') },
  });
  app.openapi(secured(auth, list), async (c) => {
    requireAllModels(c.var.caller);
    return c.json({ items: (await listKeys(db)).map(view) }, HTTP.ok);
  });

  const create = createRoute({
    method: 'post',
    path: '/api/v1/keys',
    tags: ['keys'],
    summary: 'Make a key; its token is in this answer and never shown again',
    request: { body: jsonRequest(newKeySchema) },
    responses: {
      [HTTP.created]: jsonAnswer(z.object({ id: z.string(), token: z.string() }), 'The new key'),
    },
  });
  app.openapi(secured(auth, create), async (c) => {
    requireAllModels(c.var.caller);
    const body = c.req.valid('json');
    const expiresAt = body.expiresAt === undefined ? null : new Date(body.expiresAt);
    if (expiresAt && expiresAt.getTime() <= parts.clock()) {
      throw new ApiError('unprocessable', 'key.expiry', 'expiresAt lies in the past.');
    }
    const made = await inTransaction(db, async (trx) => {
      const key = await createKey(trx, { ...body, expiresAt });
      await recordAudit(trx, {
        actor: c.var.caller.keyId,
        action: 'key.create',
        object: `key/${key.id}`,
        after: { name: body.name, scopes: body.scopes, models: body.models, expiresAt },
        requestId: c.var.requestId,
      });
      return key;
    });
    return c.json(made, HTTP.created);
  });
}

function rotateRoute(app: App, parts: ApiParts): void {
  const { auth, db, keys } = parts;
  const rotate = createRoute({
    method: 'post',
    path: '/api/v1/keys/{id}/rotate',
    tags: ['keys'],
    summary: 'Replace a key by a new one of the same rights; the old one stays valid for a while',
    request: { params: idParam, body: jsonRequest(rotateSchema) },
    responses: { [HTTP.created]: jsonAnswer(rotatedSchema, 'The new key') },
  });
  app.openapi(secured(auth, rotate, { problems: ['conflict'] }), async (c) => {
    const { caller, requestId } = c.var;
    requireAllModels(caller);
    const { id } = c.req.valid('param');
    const now = parts.clock();
    const result = await inTransaction(db, (trx) =>
      rotateKey(trx, {
        ...{ id, requestId, actor: caller.keyId, now: new Date(now) },
        graceEnds: new Date(now + c.req.valid('json').graceMinutes * 60_000),
      }),
    );
    if (result.status === 'unusable') {
      throw notFound('key.not-found', `There is no key ${id} that is valid.`);
    }
    if (result.status === 'replaced') {
      throw new ApiError(
        'conflict',
        'key.replaced',
        `The key ${id} was replaced by ${result.by}: rotate or revoke that one.`,
      );
    }
    const { token, made, former } = result;
    // Here at once; the other replicas follow with their next refresh.
    for (const key of [made, former]) keys.add(key);
    const expiresAt = iso(former.expiresAt);
    return c.json({ id: made.id, token, former: { id, expiresAt } }, HTTP.created);
  });
}

function revokeRoute(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const revoke = createRoute({
    method: 'delete',
    path: '/api/v1/keys/{id}',
    tags: ['keys'],
    summary: 'Revoke a key; replicas follow within seconds',
    description:
      'The last valid admin key for all models is refused: nobody could make another one.',
    request: { params: idParam },
    responses: { [HTTP.noContent]: { description: 'Revoked' } },
  });
  app.openapi(secured(auth, revoke, { problems: ['conflict'] }), async (c) => {
    requireAllModels(c.var.caller);
    const { id } = c.req.valid('param');
    const revoked = await inTransaction(db, async (trx) => {
      if (await isLastAdminKey(trx, id, new Date(parts.clock()))) throw lastAdmin(id);
      if (!(await revokeKey(trx, id))) return false;
      await recordAudit(trx, {
        actor: c.var.caller.keyId,
        action: 'key.revoke',
        object: `key/${id}`,
        requestId: c.var.requestId,
      });
      return true;
    });
    if (!revoked) throw notFound('key.not-found', `There is no key ${id} that is not revoked.`);
    parts.keys.remove(id);
    return c.body(null, HTTP.noContent);
  });
}

const lastAdmin = (id: string): ApiError =>
  new ApiError(
    'conflict',
    'key.last-admin',
    `The key ${id} is the last valid admin key: make another admin key first, then revoke this one.`,
  );
