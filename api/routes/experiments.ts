import { createRoute, z } from '@hono/zod-openapi';
import { parseSpec } from '../../core/spec/index.ts';
import { experimentSpecSchema, type ExperimentSpec } from '../../core/spec/spec.ts';
import {
  endExperiment,
  getExperiment,
  isTerminal,
  listExperiments,
  type Experiment,
} from '../../registry/experiments.ts';
import { recordAudit } from '../../registry/audit.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { failedModels } from '../../registry/training-history.ts';
import { getUpload } from '../../registry/uploads.ts';
import { mayUseModel, requireModel, type Caller } from '../auth.ts';
import { ApiError, HTTP, notFound } from '../errors.ts';
import { modelsOf, startRun } from '../experiment-start.ts';
import { requireMembers } from '../member-access.ts';
import { cursorOf, pageAnswer } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import {
  idempotencyHeader,
  iso,
  jsonAnswer,
  jsonRequest,
  limitQuery,
  modelName,
  ulidSchema,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';

export const STATUSES = [
  'queued',
  'running',
  'completed',
  'skipped',
  'failed',
  'cancelled',
] as const;

const experimentSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    model: z.string(),
    status: z.enum(STATUSES),
    message: z.string().nullable(),
    specHash: z.string(),
    workflowId: z.string(),
    actor: z.string(),
    createdAt: z.string(),
    startedAt: z.string().nullable(),
    finishedAt: z.string().nullable(),
  })
  .openapi('Experiment');
const experimentDetailSchema = experimentSchema
  .extend({
    failed: z
      .array(z.object({ model: z.string(), reason: z.string() }))
      .describe('Models that failed by themselves, while others went on.'),
    spec: z.record(z.string(), z.unknown()),
  })
  .openapi('ExperimentDetail');

export const experimentView = (row: Experiment): z.infer<typeof experimentSchema> => ({
  id: row.id,
  name: row.name,
  model: row.model,
  status: row.status,
  message: row.message,
  specHash: row.spec_hash,
  workflowId: row.workflow_id,
  actor: row.actor,
  createdAt: row.created_at.toISOString(),
  startedAt: iso(row.started_at),
  finishedAt: iso(row.finished_at),
});

/** Specs as the API takes them: the schema documents, `parseSpec` checks and names what is wrong. */
const specBody = z
  .record(z.string(), z.unknown())
  .openapi('ExperimentSpec', z.toJSONSchema(experimentSpecSchema, { io: 'input' }) as object);

/**
 * Parses a spec against the catalogues and the clock, and checks that its uploads are here. `parse`: as it was written, or
 * as it is stored.
 */
export async function readSpec(
  parts: ApiParts,
  value: unknown,
  parse: typeof parseSpec = parseSpec,
): Promise<ExperimentSpec> {
  const spec = parse(value, { datasets: parts.datasets });
  const { asOf } = spec.data;
  if (asOf !== undefined && Date.parse(asOf) > parts.clock()) throw asOfInFuture(asOf);
  for (const [index, source] of spec.data.sources.entries()) {
    if (!source.dataset.startsWith('upload:')) continue;
    const sha256 = source.dataset.slice('upload:'.length);
    if (await getUpload(parts.db, sha256)) continue;
    throw new ApiError(
      'unprocessable',
      'upload.unknown',
      `The file ${source.dataset} is not here.`,
      {
        issues: [
          {
            path: `data.sources[${index}].dataset`,
            message: 'upload the file first (POST /api/v1/uploads), or name a dataset',
          },
        ],
      },
    );
  }
  return spec;
}

const asOfInFuture = (asOf: string): ApiError =>
  new ApiError(
    'unprocessable',
    'spec.invalid',
    `data.asOf lies in the future (${asOf}): leave it out, and the experiment takes what is known now.`,
    { issues: [{ path: 'data.asOf', message: 'lies in the future' }] },
  );

const MAX_SHOWN_ID = 64;

/** An experiment of a model that the key is not for does not exist for its caller. */
export async function experimentFor(
  parts: ApiParts,
  caller: Caller,
  id: string,
): Promise<Experiment> {
  // What is no ULID names none either, and is not the database's to read.
  const row = ulidSchema.safeParse(id).success ? await getExperiment(parts.db, id) : undefined;
  const visible =
    row && modelsOf(row.spec as ExperimentSpec).every((model) => mayUseModel(caller, model));
  if (!visible)
    throw notFound('experiment.not-found', `There is no experiment ${id.slice(0, MAX_SHOWN_ID)}.`);
  return row;
}

/** Any text: an id that cannot be is one that is not there. */
export const experimentParam = z.object({
  id: z.string().openapi({ example: '01JCRATCHET0000000000000AB' }),
});

/** Experiments: start, list, read, cancel. */
export function experimentRoutes(app: App, parts: ApiParts): void {
  createExperimentRoute(app, parts);
  readRoutes(app, parts);
  cancelRoute(app, parts);
}

function createExperimentRoute(app: App, parts: ApiParts): void {
  const create = createRoute({
    method: 'post',
    path: '/api/v1/experiments',
    tags: ['experiments'],
    summary: 'Start an experiment',
    description:
      'With an `Idempotency-Key`, a repeat gives the same id; another body under the same key is refused.',
    request: { headers: idempotencyHeader, body: jsonRequest(specBody) },
    responses: { [HTTP.accepted]: jsonAnswer(experimentSchema, 'Recorded and started') },
  });
  app.openapi(secured(parts.auth, create), async (c) => {
    const body = c.req.valid('json');
    const spec = await readSpec(parts, body);
    for (const model of modelsOf(spec)) requireModel(c.var.caller, model);
    await requireMembers(parts, c.var.caller, spec);
    const experiment = await startRun(parts, {
      spec,
      body,
      actor: c.var.caller.keyId,
      requestId: c.var.requestId,
      idempotencyKey: c.req.valid('header')['idempotency-key'],
      route: 'POST /api/v1/experiments',
    });
    c.header('location', `/api/v1/experiments/${experiment.id}`);
    return c.json(experimentView(experiment), HTTP.accepted);
  });
}

function readRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const list = createRoute({
    method: 'get',
    path: '/api/v1/experiments',
    tags: ['experiments'],
    summary: 'Experiments, newest first',
    request: {
      query: z.object({
        limit: limitQuery,
        cursor: cursorOf(ulidSchema),
        name: modelName.optional(),
        model: modelName.optional(),
        status: z.enum(STATUSES).optional(),
      }),
    },
    responses: {
      [HTTP.ok]: pageAnswer(experimentSchema),
    },
  });
  app.openapi(secured(auth, list), async (c) => {
    const { items, nextCursor } = await listExperiments(db, c.req.valid('query'));
    const visible = items.filter((row) =>
      modelsOf(row.spec as ExperimentSpec).every((model) => mayUseModel(c.var.caller, model)),
    );
    return c.json({ items: visible.map(experimentView), nextCursor: nextCursor ?? null }, HTTP.ok);
  });

  const read = createRoute({
    method: 'get',
    path: '/api/v1/experiments/{id}',
    tags: ['experiments'],
    summary: 'One experiment with its spec',
    request: { params: experimentParam },
    responses: { [HTTP.ok]: jsonAnswer(experimentDetailSchema, 'The experiment') },
  });
  app.openapi(secured(auth, read), async (c) => {
    const row = await experimentFor(parts, c.var.caller, c.req.valid('param').id);
    const failed = await failedModels(db, row.id);
    const spec = row.spec as Record<string, unknown>;
    return c.json({ ...experimentView(row), failed: [...failed], spec }, HTTP.ok);
  });
}

function cancelRoute(app: App, parts: ApiParts): void {
  const cancel = createRoute({
    method: 'post',
    path: '/api/v1/experiments/{id}/cancel',
    tags: ['experiments'],
    summary: 'Ask an experiment to stop; its training process ends within seconds',
    request: { params: experimentParam },
    responses: { [HTTP.accepted]: jsonAnswer(experimentSchema, 'Asked to stop') },
  });
  app.openapi(secured(parts.auth, cancel, { problems: ['conflict'] }), async (c) => {
    const row = await experimentFor(parts, c.var.caller, c.req.valid('param').id);
    if (isTerminal(row.status)) {
      throw new ApiError(
        'conflict',
        'experiment.ended',
        `The experiment has ended: ${row.status}.`,
      );
    }
    await cancelRun(parts, row, c.var.caller, c.var.requestId);
    const after = await experimentFor(parts, c.var.caller, row.id);
    return c.json(experimentView(after), HTTP.accepted);
  });
}

async function cancelRun(
  parts: ApiParts,
  row: Experiment,
  caller: Caller,
  requestId: string,
): Promise<void> {
  const asked = await parts.orchestrator.cancelExperiment(row.id);
  await inTransaction(parts.db, async (trx) => {
    await recordAudit(trx, {
      actor: caller.keyId,
      action: 'experiment.cancel',
      object: `experiment/${row.id}`,
      requestId,
      workflowId: row.workflow_id,
    });
    // No workflow runs: nobody else would end the row.
    if (!asked) {
      await endExperiment(trx, row.id, { status: 'cancelled', message: 'cancelled before it ran' });
    }
  });
}
