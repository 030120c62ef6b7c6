import { createRoute, z } from '@hono/zod-openapi';
import { PARITY_CAUSES } from '../../core/predict/index.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import {
  createParityReport,
  LATE_MS,
  listParityReports,
  parityReportOrThrow,
  SAMPLES,
  type ParityReport,
} from '../../registry/parity.ts';
import { listParityDifferences, type ParityDifference } from '../../registry/parity-progress.ts';
import { workflowIds } from '../../workflows/messages.ts';
import { ApiError, HTTP } from '../errors.ts';
import { cursorOf, nextCursor, pageAnswer, pageQuery } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import { startRecorded } from '../recorded-start.ts';
import {
  idempotencyHeader,
  instant,
  iso,
  jsonAnswer,
  jsonRequest,
  limitQuery,
  modelName,
  modelParam,
  sequenceText,
  ulidSchema,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const DAY_MS = 86_400_000;
const MAX_LATE_S = 3_600;
const MAX_SAMPLES = 10_000;

const askedSchema = z
  .strictObject({
    from: instant.optional().describe('Served then or later; default: a day before `to`.'),
    to: instant.optional().describe('Served before; default: now.'),
    lateS: z
      .number()
      .min(0)
      .max(MAX_LATE_S)
      .default(LATE_MS / 1_000)
      .describe('How long a replica may not have heard of new bars, seconds.'),
    samples: z
      .int()
      .min(0)
      .max(MAX_SAMPLES)
      .default(SAMPLES)
      .describe('Answers with Monte-Carlo confidence whose samples are drawn again.'),
  })
  .openapi('ParityRequest');

const count = z.int().min(0);
const countsSchema = z.object({
  total: count.describe('Predictions to replay.'),
  replayed: count.describe('`identical`, `late` and `different` together.'),
  identical: count.describe('Every field as it was served, bit for bit.'),
  late: count.describe('As served some seconds earlier, before the replica heard of newer bars.'),
  different: count,
  callersOwn: count.describe("Made from a caller's bars or window, which are not kept."),
  withSamples: count.describe('With Monte-Carlo confidence: of them the forecast is compared.'),
  samplesDrawn: count.describe('Of them those whose samples were drawn again, and compared too.'),
  latestMs: z.number().min(0).describe('Longest lateness.'),
  byCause: z.partialRecord(z.enum(PARITY_CAUSES), count),
});

const reportSchema = z
  .object({
    id: z.string(),
    model: z.string(),
    slot: z.string().nullable().describe('Of the Schedule; null: a person asked.'),
    from: z.string(),
    to: z.string(),
    lateS: z.number(),
    status: z.enum(['queued', 'running', 'completed', 'failed']),
    message: z.string().nullable().describe('Why it failed.'),
    counts: countsSchema,
    codeVersion: z.string().nullable().describe('The code that replayed.'),
    createdAt: z.string(),
    finishedAt: z.string().nullable(),
  })
  .openapi('ParityReport');

const differenceSchema = z
  .object({
    predictionId: z.string(),
    servedAt: z.string(),
    version: z.int(),
    instrument: z.string(),
    asOf: z.string(),
    cause: z.enum(PARITY_CAUSES).describe('The likely one.'),
    words: z.string(),
    fields: z.array(z.object({ field: z.string(), served: z.unknown(), replayed: z.unknown() })),
  })
  .openapi('ParityDifference');

const view = (row: ParityReport): z.infer<typeof reportSchema> => ({
  ...{ id: row.id, model: row.model, status: row.status, message: row.message },
  ...{ slot: iso(row.slot), from: row.served_from.toISOString(), to: row.served_to.toISOString() },
  ...{ lateS: row.lateMs / 1_000, counts: row.counts, codeVersion: row.code_version },
  ...{ createdAt: row.created_at.toISOString(), finishedAt: iso(row.finished_at) },
});

const viewOf = (one: ParityDifference): z.infer<typeof differenceSchema> => ({
  ...{ predictionId: one.predictionId, servedAt: one.servedAt.toISOString() },
  ...{ version: one.version, instrument: one.instrument, asOf: one.asOf.toISOString() },
  ...{ cause: one.cause, words: one.words, fields: [...one.fields] },
});

const PATH = '/api/v1/ml-models/{name}/parity';

/** Predictions that were served, computed again and compared. */
export function parityRoutes(app: App, parts: ApiParts): void {
  startRoute(app, parts);
  listRoute(app, parts);
  reportRoute(app, parts);
}

function startRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'post',
    path: PATH,
    tags: ['parity'],
    summary: 'Compute again what was served, and compare',
    description:
      'Each prediction that went to a caller is computed again by the same code, from the bars as they were known when ' +
      'it was asked, and compared field by field. It comes by itself every night.',
    request: { params: modelParam, headers: idempotencyHeader, body: jsonRequest(askedSchema) },
    responses: {
      [HTTP.accepted]: jsonAnswer(reportSchema.extend({ workflowId: z.string() }), 'Started'),
    },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const { name: model } = c.req.valid('param');
    const body = c.req.valid('json');
    await getModelOrThrow(parts.db, model);
    const to = body.to === undefined ? parts.clock() : Date.parse(body.to);
    const from = body.from === undefined ? to - DAY_MS : Date.parse(body.from);
    if (from >= to) {
      const issues = [{ path: '/from', message: 'not before `to`' }];
      throw new ApiError('unprocessable', 'parity.range', 'It ends before it begins.', { issues });
    }
    const id = await startRecorded(parts, {
      idempotencyKey: c.req.valid('header')['idempotency-key'],
      route: `POST parity ${model}`,
      body,
      insert: (trx, made) =>
        createParityReport(trx, {
          ...{ id: made, model, from: new Date(from), to: new Date(to), samples: body.samples },
          lateMs: Math.round(body.lateS * 1_000),
          actor: c.var.caller.keyId,
          requestId: c.var.requestId,
        }),
      isQueued: async (made) => (await parityReportOrThrow(parts.db, made)).status === 'queued',
      start: (made) => parts.orchestrator.startParity(model, made),
    });
    c.header('location', `/api/v1/ml-models/${model}/parity/${id}`);
    const made = view(await parityReportOrThrow(parts.db, id));
    return c.json({ ...made, workflowId: workflowIds.parityRun(id) }, HTTP.accepted);
  });
}

function listRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: PATH,
    tags: ['parity'],
    summary: 'Reports of what was computed again, newest first',
    request: {
      params: modelParam,
      query: z.object({
        ...pageQuery(ulidSchema),
      }),
    },
    responses: {
      [HTTP.ok]: pageAnswer(reportSchema),
    },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const { name } = c.req.valid('param');
    const query = c.req.valid('query');
    await getModelOrThrow(parts.db, name);
    const rows = await listParityReports(parts.db, name, query);
    const next = nextCursor(rows, query.limit, ({ id }) => id);
    return c.json({ items: rows.map(view), nextCursor: next }, HTTP.ok);
  });
}

function reportRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: `${PATH}/{id}`,
    tags: ['parity'],
    summary: 'One report, with the predictions that come out otherwise',
    request: {
      params: z.object({ name: modelName, id: ulidSchema }),
      query: z.object({
        limit: limitQuery,
        cursor: cursorOf(sequenceText),
      }),
    },
    responses: {
      [HTTP.ok]: jsonAnswer(
        reportSchema.extend({
          differences: z.array(differenceSchema).describe('In the order in which they were found.'),
          nextCursor: z.string().nullable(),
        }),
        'The report, and one page of its differences',
      ),
    },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const { name, id } = c.req.valid('param');
    const { limit, cursor } = c.req.valid('query');
    await getModelOrThrow(parts.db, name);
    const row = await parityReportOrThrow(parts.db, id, name);
    const from = cursor === undefined ? 0 : Number(cursor);
    const found = await listParityDifferences(parts.db, id, { from, limit });
    const next = nextCursor(found, limit, ({ n }) => String(n + 1));
    return c.json({ ...view(row), differences: found.map(viewOf), nextCursor: next }, HTTP.ok);
  });
}
