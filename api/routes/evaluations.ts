import { createRoute, z } from '@hono/zod-openapi';
import { evaluationSchema, parseEvaluation } from '../../core/evaluation/index.ts';
import { refOf, sha256OfUri } from '../../registry/artifacts.ts';
import { currentChampion } from '../../registry/champions.ts';
import {
  createEvaluation,
  endEvaluation,
  evaluationOrThrow,
  knownAtOf,
  listEvaluations,
  type NewEvaluation,
  type VersionEvaluation,
} from '../../registry/evaluations.ts';
import type { Trx } from '../../registry/in-transaction.ts';
import { getModelOrThrow, getVersionOrThrow } from '../../registry/models.ts';
import { askStore } from '../ask-store.ts';
import { ApiError, HTTP } from '../errors.ts';
import { nextCursor, pageAnswer, pageQuery } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import { startRecorded } from '../recorded-start.ts';
import {
  idempotencyHeader,
  instant,
  iso,
  jsonAnswer,
  jsonRequest,
  modelName,
  modelParam,
  ulidSchema,
  versionNumber,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { sendStoredPage } from '../stored-page.ts';

const askedSchema = z
  .strictObject({
    version: versionNumber.optional().describe('Default: the champion.'),
    from: instant
      .optional()
      .describe('First decision that counts; default: the first after all that the version knows.'),
    to: instant
      .optional()
      .describe('Last decision that counts (a date: its start, 00:00 UTC); default: the newest.'),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || at(from) <= at(to), {
    path: ['to'],
    message: 'not before `from`',
  })
  .openapi('EvaluateRequest');

const at = (text: string): number => Date.parse(text);

const runSchema = z
  .object({
    id: z.string(),
    model: z.string(),
    version: z.int(),
    champion: z.int().nullable().describe('Compared with, on the same rows; null: none.'),
    from: z.string().nullable(),
    to: z.string().nullable(),
    serving: z
      .boolean()
      .nullable()
      .describe('It served the model when it was asked for; null: an earlier release did not say.'),
    asOf: z
      .string()
      .describe(
        'Bars known by then count: when the newest had been brought, before that when it was asked for.',
      ),
    status: z.enum(['queued', 'running', 'completed', 'failed', 'cancelled']),
    message: z
      .string()
      .nullable()
      .describe('Why it failed; of a completed one what its bars lack.'),
    verdict: z.string().nullable(),
    metrics: z
      .record(z.string(), z.number().nullable())
      .describe('By name, such as `h7.rmse`; empty until it is completed.'),
    createdAt: z.string(),
    finishedAt: z.string().nullable(),
  })
  .openapi('EvaluationRun');

const view = (row: VersionEvaluation): z.infer<typeof runSchema> => ({
  id: row.id,
  model: row.model,
  version: row.version,
  champion: row.champion,
  from: iso(row.decided_from),
  to: iso(row.decided_to),
  serving: row.serving,
  asOf: new Date(knownAtOf(row)).toISOString(),
  status: row.status,
  message: row.message,
  verdict: row.verdict,
  metrics: row.metrics ?? {},
  createdAt: row.created_at.toISOString(),
  finishedAt: iso(row.finished_at),
});

/** Has it ended, or is it under way? */
const isOver = ({ finished_at: finishedAt }: VersionEvaluation): boolean => finishedAt !== null;

const PATH = '/api/v1/ml-models/{name}/evaluations';
const evaluationParam = z.object({ name: modelName, id: ulidSchema });

/** Versions judged again, on rows that came after all they know. */
export function evaluationRoutes(app: App, parts: ApiParts): void {
  startRoute(app, parts);
  listRoute(app, parts);
  cancelRoute(app, parts);
  const one = createRoute({
    method: 'get',
    path: `${PATH}/{id}`,
    tags: ['evaluation'],
    summary: 'How an evaluation stands, and its figures once it is completed',
    request: { params: evaluationParam },
    responses: {
      [HTTP.ok]: jsonAnswer(
        runSchema.extend({ evaluation: evaluationSchema.nullable() }),
        '`evaluation`: all figures; null until it is completed',
      ),
    },
  });
  app.openapi(secured(parts.auth, one), async (c) => {
    const row = await rowOf(parts, c.req.valid('param'));
    const bytes = row.evaluation_uri === null ? null : await read(parts, row.evaluation_uri);
    return c.json({ ...view(row), evaluation: bytes && parseEvaluation(bytes) }, HTTP.ok);
  });
  const report = createRoute({
    method: 'get',
    path: `${PATH}/{id}/report`,
    tags: ['evaluation'],
    summary: 'The evaluation as one HTML page that loads nothing',
    request: { params: evaluationParam },
    responses: {
      [HTTP.ok]: { description: 'The page', content: { 'text/html': { schema: z.string() } } },
    },
  });
  app.openapi(secured(parts.auth, report, { problems: ['conflict'] }), async (c) => {
    const row = await rowOf(parts, c.req.valid('param'));
    if (row.report_uri === null) {
      const why = row.message === null ? '' : `: ${row.message}`;
      throw new ApiError('conflict', 'evaluation.unfinished', `It is ${row.status}${why}`);
    }
    const page = new TextDecoder().decode(await read(parts, row.report_uri));
    return sendStoredPage(c, page, `evaluation-${row.model}-v${row.version}-${row.id}.html`);
  });
}

async function rowOf(
  { db }: ApiParts,
  { name, id }: z.infer<typeof evaluationParam>,
): Promise<VersionEvaluation> {
  await getModelOrThrow(db, name);
  return evaluationOrThrow(db, id, name);
}

const read = (parts: ApiParts, uri: string): Promise<Uint8Array> =>
  askStore(parts, (store) => store.get(refOf(sha256OfUri(uri))));

function startRoute(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const route = createRoute({
    method: 'post',
    path: '/api/v1/ml-models/{name}/evaluate',
    tags: ['evaluation'],
    summary: 'Judge a version again, on rows that came after all it knows',
    description:
      'Brings the bars up to date and measures the version against naive references, and against the champion where ' +
      'it is another, on decisions later than the last outcome that the version learnt from. It decides nothing.',
    request: { params: modelParam, headers: idempotencyHeader, body: jsonRequest(askedSchema) },
    responses: { [HTTP.accepted]: jsonAnswer(runSchema, 'Started') },
  });
  app.openapi(secured(auth, route, { problems: ['conflict'] }), async (c) => {
    const { name: model } = c.req.valid('param');
    const body = c.req.valid('json');
    await getModelOrThrow(db, model);
    const id = await startRecorded(parts, {
      idempotencyKey: c.req.valid('header')['idempotency-key'],
      route: `POST evaluate ${model}`,
      body,
      insert: async (trx, made) =>
        createEvaluation(trx, {
          ...{ id: made, model, ...(await askedOf(trx, model, body.version)) },
          from: body.from === undefined ? null : new Date(body.from),
          to: body.to === undefined ? null : new Date(body.to),
          asOf: new Date(parts.clock()),
          actor: c.var.caller.keyId,
          requestId: c.var.requestId,
        }),
      isQueued: async (made) => (await evaluationOrThrow(db, made)).status === 'queued',
      start: (made) => parts.orchestrator.startEvaluation(made),
    });
    c.header('location', `/api/v1/ml-models/${model}/evaluations/${id}`);
    return c.json(view(await evaluationOrThrow(db, id)), HTTP.accepted);
  });
}

/** Which version is meant, and what it is compared with: as they stand when the question is written down. */
async function askedOf(
  trx: Trx,
  model: string,
  named: number | undefined,
): Promise<Pick<NewEvaluation, 'version' | 'champion' | 'serving'>> {
  const champion = (await currentChampion(trx, model))?.version;
  const version = named ?? champion;
  if (version === undefined) {
    const message = `${model} has no champion; name a version.`;
    throw new ApiError('conflict', 'champion.none', message);
  }
  await getVersionOrThrow(trx, model, version);
  const serving = version === champion;
  return { version, serving, champion: serving ? null : (champion ?? null) };
}

function cancelRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'post',
    path: `${PATH}/{id}/cancel`,
    tags: ['evaluation'],
    summary: 'Stop an evaluation; one that has ended stays as it ended',
    request: { params: evaluationParam },
    responses: { [HTTP.accepted]: jsonAnswer(runSchema, 'Asked to stop') },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const param = c.req.valid('param');
    const row = await rowOf(parts, param);
    if (!isOver(row) && !(await parts.orchestrator.cancelEvaluation(row.id))) {
      const message = 'cancelled; no workflow was at it';
      await endEvaluation(parts.db, row.id, { status: 'cancelled', message });
    }
    return c.json(view(await rowOf(parts, param)), HTTP.accepted);
  });
}

function listRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: PATH,
    tags: ['evaluation'],
    summary: 'Evaluations that were asked for, newest first',
    request: {
      params: modelParam,
      query: z.object({
        ...pageQuery(ulidSchema),
        version: z.coerce.number().pipe(versionNumber).optional(),
      }),
    },
    responses: {
      [HTTP.ok]: pageAnswer(runSchema),
    },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const { name } = c.req.valid('param');
    const query = c.req.valid('query');
    await getModelOrThrow(parts.db, name);
    const rows = await listEvaluations(parts.db, name, query);
    const next = nextCursor(rows, query.limit, ({ id }) => id);
    return c.json({ items: rows.map(view), nextCursor: next }, HTTP.ok);
  });
}
