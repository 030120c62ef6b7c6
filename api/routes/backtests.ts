import { createRoute, z } from '@hono/zod-openapi';
import { createHash } from 'node:crypto';
import {
  askedModels,
  backtestSpecSchema,
  canonicalJson,
  parseBacktestSpec,
} from '../../core/spec/index.ts';
import { refOf, sha256OfUri } from '../../registry/artifacts.ts';
import {
  backtestOrThrow,
  backtestSpecOf,
  createBacktest,
  listBacktests,
  type Backtest,
} from '../../registry/backtests.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import { workflowIds } from '../../workflows/messages.ts';
import { requireAnswerers } from '../answerer-access.ts';
import { askStore } from '../ask-store.ts';

import { mayUseModel, type Caller } from '../auth.ts';
import { HTTP, notFound } from '../errors.ts';
import { nextCursor, pageAnswer, pageQuery } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import { startRecorded } from '../recorded-start.ts';
import {
  idempotencyHeader,
  iso,
  jsonAnswer,
  jsonRequest,
  modelName,
  modelParam,
  ulidSchema,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { sendStoredPage } from '../stored-page.ts';

const STATUSES = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;
const figures = z.record(z.string(), z.number().nullable());

export const backtestSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    status: z.enum(STATUSES),
    message: z.string().nullable().describe('The verdict in one sentence, or why it failed.'),
    results: z.array(
      z.object({
        strategy: z.string(),
        metrics: figures.describe('After costs.'),
        finalEquity: z.number(),
        trades: z.int(),
      }),
    ),
    warnings: z
      .array(z.string())
      .describe('What to know before the figures, such as a period without bars for all of it.'),
    files: z.array(z.string()).describe('Names; `GET .../files/{file}` has each.'),
    specHash: z.string(),
    createdAt: z.string(),
    finishedAt: z.string().nullable(),
  })
  .openapi('Backtest');
const detailSchema = backtestSchema
  .extend({ spec: z.record(z.string(), z.unknown()) })
  .openapi('BacktestDetail');

export const backtestView = (row: Backtest): z.infer<typeof backtestSchema> => ({
  id: row.id,
  name: row.name,
  status: row.status,
  message: row.message,
  results: (row.results ?? []).map(({ strategy, metrics, finalEquity, trades }) => ({
    ...{ strategy, finalEquity, trades },
    metrics: { ...metrics },
  })),
  warnings: [...(row.warnings ?? [])],
  files: (row.files ?? []).map(({ name }) => name),
  specHash: row.spec_hash,
  createdAt: row.created_at.toISOString(),
  finishedAt: iso(row.finished_at),
});

/** The schema documents, `parseBacktestSpec` checks and names what is wrong. */
const specBody = z
  .record(z.string(), z.unknown())
  .openapi('BacktestSpec', z.toJSONSchema(backtestSpecSchema, { io: 'input' }) as object);

export const BACKTESTS = '/api/v1/backtests';
export const backtestParam = z.object({ id: ulidSchema });
const fileParam = backtestParam.extend({
  file: z.string().regex(/^[\w^.=-]{1,120}$/, 'a file name'),
});

/** Backtests: start, list, read, and what they left. */
export function backtestRoutes(app: App, parts: ApiParts): void {
  startRoute(app, parts);
  listRoutes(app, parts);
  readRoutes(app, parts);
}

const maySee = (caller: Caller, row: Backtest): boolean =>
  askedModels(backtestSpecOf(row)).every((model) => mayUseModel(caller, model));

/** A backtest of a model that the key is not for does not exist for its caller. */
export async function backtestFor({ db }: ApiParts, caller: Caller, id: string): Promise<Backtest> {
  const row = await backtestOrThrow(db, id);
  if (maySee(caller, row)) return row;
  throw notFound('backtest.unknown', `there is no backtest ${id}`);
}

function startRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'post',
    path: BACKTESTS,
    tags: ['backtests'],
    summary: 'Start a backtest',
    request: { headers: idempotencyHeader, body: jsonRequest(specBody) },
    responses: { [HTTP.accepted]: jsonAnswer(backtestSchema, 'Recorded and started') },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const body = c.req.valid('json');
    const spec = parseBacktestSpec(body, { datasets: parts.datasets });
    await requireAnswerers(parts, c.var.caller, spec);
    const specHash = createHash('sha256').update(canonicalJson(spec)).digest('hex');
    const id = await startRecorded(parts, {
      idempotencyKey: c.req.valid('header')['idempotency-key'],
      route: `POST ${BACKTESTS}`,
      body,
      insert: (trx, made) =>
        createBacktest(trx, {
          ...{ id: made, spec, specHash },
          workflowId: workflowIds.backtest(made),
          ...{ actor: c.var.caller.keyId, requestId: c.var.requestId },
        }),
      isQueued: async (made) => (await backtestOrThrow(parts.db, made)).status === 'queued',
      start: (made) => parts.orchestrator.startBacktest(made),
    });
    c.header('location', `${BACKTESTS}/${id}`);
    return c.json(backtestView(await backtestOrThrow(parts.db, id)), HTTP.accepted);
  });
}

const listQuery = z.object({
  ...pageQuery(ulidSchema),
  status: z.enum(STATUSES).optional(),
});

function listRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const pageOf = (rows: readonly Backtest[], limit: number, caller: Caller) => ({
    items: rows.filter((row) => maySee(caller, row)).map(backtestView),
    nextCursor: nextCursor(rows, limit, ({ id }) => id),
  });
  const list = createRoute({
    method: 'get',
    path: BACKTESTS,
    tags: ['backtests'],
    summary: 'Backtests, newest first',
    request: { query: listQuery.extend({ name: modelName.optional() }) },
    responses: { [HTTP.ok]: pageAnswer(backtestSchema) },
  });
  app.openapi(secured(auth, list), async (c) => {
    const query = c.req.valid('query');
    const rows = await listBacktests(db, query);
    return c.json(pageOf(rows, query.limit, c.var.caller), HTTP.ok);
  });
  const ofModel = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/backtest',
    tags: ['backtests'],
    summary: 'Backtests that asked this model, newest first',
    request: { params: modelParam, query: listQuery },
    responses: { [HTTP.ok]: pageAnswer(backtestSchema) },
  });
  app.openapi(secured(auth, ofModel), async (c) => {
    const query = c.req.valid('query');
    const { name, model_group: group } = await getModelOrThrow(db, c.req.valid('param').name);
    const models = group === null ? [name] : [name, group];
    const rows = await listBacktests(db, { ...query, models });
    return c.json(pageOf(rows, query.limit, c.var.caller), HTTP.ok);
  });
}

function readRoutes(app: App, parts: ApiParts): void {
  const one = createRoute({
    method: 'get',
    path: `${BACKTESTS}/{id}`,
    tags: ['backtests'],
    summary: 'A backtest with its spec',
    request: { params: backtestParam },
    responses: { [HTTP.ok]: jsonAnswer(detailSchema, 'The backtest') },
  });
  app.openapi(secured(parts.auth, one), async (c) => {
    const row = await backtestFor(parts, c.var.caller, c.req.valid('param').id);
    return c.json({ ...backtestView(row), spec: row.spec as Record<string, unknown> }, HTTP.ok);
  });
  const file = createRoute({
    method: 'get',
    path: `${BACKTESTS}/{id}/files/{file}`,
    tags: ['backtests'],
    summary:
      'What it left: report.html and report.txt, charts, trades and curves as CSV, results as JSON',
    request: { params: fileParam },
    responses: {
      [HTTP.ok]: {
        description: 'The file',
        content: { 'application/octet-stream': { schema: z.string() } },
      },
    },
  });
  app.openapi(secured(parts.auth, file), async (c) => {
    const { id, file: name } = c.req.valid('param');
    const row = await backtestFor(parts, c.var.caller, id);
    const found = (row.files ?? []).find((one_) => one_.name === name);
    if (!found) throw notFound('backtest.file-not-found', `The backtest ${id} left no ${name}.`);
    const bytes = await askStore(parts, (store) => store.get(refOf(sha256OfUri(found.uri))));
    if (name.endsWith('.html')) {
      return sendStoredPage(c, new TextDecoder().decode(bytes), `${row.name}-${id}.html`) as never;
    }
    const type = TYPES[name.slice(name.lastIndexOf('.'))] ?? 'application/octet-stream';
    const headers = { 'content-type': type, 'cache-control': 'private, no-cache' };
    return c.body(Buffer.from(bytes), HTTP.ok, headers) as never;
  });
}

const TYPES: Readonly<Record<string, string>> = {
  '.csv': 'text/csv; charset=UTF-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.txt': 'text/plain; charset=UTF-8',
};
