import { createRoute, z } from '@hono/zod-openapi';
import { TIMEFRAMES } from '../../core/bars/bars.ts';
import { expandUnits, type ExperimentSpec } from '../../core/spec/index.ts';
import { currentChampion } from '../../registry/champions.ts';
import {
  createModel,
  getModelOrThrow,
  listModels,
  updateModel,
  type RegisteredModel,
} from '../../registry/models.ts';
import { retireModel } from '../../registry/retirement.ts';
import { requireModel, type AuthVariables, type Caller } from '../auth.ts';
import { ApiError, HTTP } from '../errors.ts';
import { requireMembers } from '../member-access.ts';
import { cursorOf, nextCursor, pageAnswer } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import {
  instrumentId,
  iso,
  jsonAnswer,
  jsonRequest,
  limitQuery,
  modelName,
  modelParam,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { servingSchema, servingView } from '../serving-view.ts';
import { readSpec } from './experiments.ts';

const modelSchema = z
  .object({
    name: z.string(),
    instruments: z.array(z.string()),
    timeframe: z.string(),
    group: z.string().nullable(),
    description: z.string(),
    createdAt: z.string(),
    champion: servingSchema.nullable(),
  })
  .openapi('Model');
const modelDetailSchema = modelSchema
  .extend({ template: z.record(z.string(), z.unknown()).nullable() })
  .openapi('ModelDetail');

const template = z
  .record(z.string(), z.unknown())
  .describe('The spec that `train` runs; default: that of the champion.');
const description = z.string().max(2000);
/** A name, or the template that its models were made by. */
const group = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]*(\{instrument\})?[a-z0-9._-]*$/,
    'a name, or the name in a spec, such as crypto-{instrument}',
  )
  .max(63);

const newModelSchema = z
  .strictObject({
    name: modelName,
    instruments: z.array(instrumentId).min(1).max(64),
    timeframe: z.enum(TIMEFRAMES).default('1d'),
    group: group.optional(),
    description: description.default(''),
    template: template.optional(),
  })
  .openapi('NewModel');
const modelChangeSchema = z
  .strictObject({
    description: description.optional(),
    group: group.nullable().optional(),
    template: template.nullable().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'say what to change')
  .openapi('ModelChange');

async function view(parts: ApiParts, row: RegisteredModel): Promise<z.infer<typeof modelSchema>> {
  const champion = await currentChampion(parts.db, row.name);
  return {
    name: row.name,
    instruments: [...row.instruments],
    timeframe: row.timeframe,
    group: row.model_group,
    description: row.description,
    createdAt: iso(row.created_at)!,
    champion: servingView(champion),
  };
}

const detail = async (
  parts: ApiParts,
  row: RegisteredModel,
): Promise<z.infer<typeof modelDetailSchema>> => ({
  ...(await view(parts, row)),
  template: row.template as Record<string, unknown> | null,
});

/** A template must make this very model, of models that are the caller's. */
async function checkTemplate(
  parts: ApiParts,
  caller: Caller,
  model: string,
  value: Record<string, unknown> | null | undefined,
): Promise<ExperimentSpec | null | undefined> {
  if (value === null || value === undefined) return value;
  const spec = await readSpec(parts, value);
  await requireMembers(parts, caller, spec);
  if (expandUnits(spec).some((unit) => unit.model === model)) return spec;
  throw new ApiError(
    'unprocessable',
    'model.template',
    `This template makes ${expandUnits(spec)
      .map((unit) => unit.model)
      .join(', ')}, not ${model}.`,
    { issues: [{ path: '/template/model', message: `must make ${model}` }] },
  );
}

const asker = (variables: Readonly<AuthVariables>) => ({
  actor: variables.caller.keyId,
  requestId: variables.requestId,
});

/** Registered models: what versions compete for. */
export function modelRoutes(app: App, parts: ApiParts): void {
  readRoutes(app, parts);
  changeRoutes(app, parts);
}

function readRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;

  const list = createRoute({
    method: 'get',
    path: '/api/v1/ml-models',
    tags: ['models'],
    summary: 'Models by name',
    request: {
      query: z.object({
        limit: limitQuery,
        after: cursorOf(modelName),
        group: group.optional(),
      }),
    },
    responses: {
      [HTTP.ok]: pageAnswer(modelSchema),
    },
  });
  app.openapi(secured(auth, list), async (c) => {
    const query = c.req.valid('query');
    const { models } = c.var.caller;
    // Not filtered afterwards: the cursor would name a model that the key must not know of.
    const among = models.length === 0 ? undefined : models;
    const rows = await listModels(db, { ...query, among });
    const items = await Promise.all(rows.map((row) => view(parts, row)));
    const next = nextCursor(rows, query.limit, ({ name }) => name);
    return c.json({ items, nextCursor: next }, HTTP.ok);
  });

  const read = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}',
    tags: ['models'],
    summary: 'One model with its template',
    request: { params: modelParam },
    responses: { [HTTP.ok]: jsonAnswer(modelDetailSchema, 'The model') },
  });
  app.openapi(secured(auth, read), async (c) => {
    const row = await getModelOrThrow(db, c.req.valid('param').name);
    return c.json(await detail(parts, row), HTTP.ok);
  });
}

function changeRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const create = createRoute({
    method: 'post',
    path: '/api/v1/ml-models',
    tags: ['models'],
    summary: 'Register a model',
    request: { body: jsonRequest(newModelSchema) },
    responses: { [HTTP.created]: jsonAnswer(modelDetailSchema, 'Registered') },
  });
  app.openapi(secured(auth, create, { problems: ['conflict'] }), async (c) => {
    const body = c.req.valid('json');
    requireModel(c.var.caller, body.name);
    const spec = await checkTemplate(parts, c.var.caller, body.name, body.template);
    const row = await createModel(db, { ...body, template: spec }, asker(c.var));
    c.header('location', `/api/v1/ml-models/${row.name}`);
    return c.json(await detail(parts, row), HTTP.created);
  });

  const update = createRoute({
    method: 'put',
    path: '/api/v1/ml-models/{name}',
    tags: ['models'],
    summary: 'Change description, group or template',
    request: { params: modelParam, body: jsonRequest(modelChangeSchema) },
    responses: { [HTTP.ok]: jsonAnswer(modelDetailSchema, 'Changed') },
  });
  app.openapi(secured(auth, update), async (c) => {
    const { name } = c.req.valid('param');
    const body = c.req.valid('json');
    const spec = await checkTemplate(parts, c.var.caller, name, body.template);
    const row = await updateModel(db, name, { ...body, template: spec }, asker(c.var));
    parts.declared.forget(name);
    return c.json(await detail(parts, row), HTTP.ok);
  });

  const remove = createRoute({
    method: 'delete',
    path: '/api/v1/ml-models/{name}',
    tags: ['models'],
    summary: 'Retire a model; one that serves only with `force=true`',
    description:
      'Its lifecycle, trial, retrain and schedules end; rows and history stay. Artifacts go with gc.',
    request: {
      params: modelParam,
      query: z.object({ force: z.enum(['true', 'false']).default('false') }),
    },
    responses: { [HTTP.noContent]: { description: 'Retired' } },
  });
  app.openapi(secured(auth, remove, { problems: ['conflict'] }), async (c) => {
    const force = c.req.valid('query').force === 'true';
    await retire(parts, c.req.valid('param').name, { ...asker(c.var), force });
    return c.body(null, HTTP.noContent);
  });
}

/**
 * Rows first, then what runs. Temporal is asked before anything changes: while it is away nothing is
 * retired. Where it goes away in between, `ratchet doctor --repair` ends what was left.
 */
async function retire(
  { db, orchestrator, log }: ApiParts,
  model: string,
  asked: Parameters<typeof retireModel>[2],
): Promise<void> {
  await orchestrator.ping();
  const { experimentId } = await retireModel(db, model, asked);
  try {
    await orchestrator.endLifecycle(model, 'the model was retired');
    if (experimentId !== undefined) await orchestrator.cancelExperiment(experimentId);
  } catch (error) {
    log.warn({ err: error, model }, 'retired; what still runs of it is ended by doctor --repair');
  }
}
