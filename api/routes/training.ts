import { createRoute, z } from '@hono/zod-openapi';
import { modelsOf, startRun } from '../experiment-start.ts';
import { memberModels, type ExperimentSpec } from '../../core/spec/index.ts';
import { readEvents, type Experiment } from '../../registry/experiments.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import type { RegisteredModel } from '../../registry/models.ts';
import { experimentsAbout, failuresOf } from '../../registry/training-history.ts';
import { mayUseModel } from '../auth.ts';
import { ApiError, HTTP } from '../errors.ts';
import { templateOf } from '../model-template.ts';
import type { ApiParts } from '../parts.ts';
import {
  idempotencyHeader,
  instrumentId,
  iso,
  jsonAnswer,
  jsonRequest,
  modelParam,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { TRAINING_DAYS_MAX, TRAINING_DAYS_MIN, trainingSpec } from '../training-spec.ts';
import { STATUSES, readSpec } from './experiments.ts';

const trainSchema = z
  .strictObject({
    instruments: z.array(instrumentId).min(1).max(64).optional(),
    trainingDays: z
      .int()
      .min(TRAINING_DAYS_MIN)
      .max(TRAINING_DAYS_MAX)
      .optional()
      .describe('Labelled samples. Fewer than the split needs: refused with the minimum.'),
    testSize: z.number().min(0.05).max(0.4).optional(),
    lookbackDays: z.int().min(1).max(512).optional(),
    threshold: z
      .number()
      .positive()
      .max(1)
      .optional()
      .describe('Least return that counts as a move, 0.02 = 2 %; of labels with classes.'),
    rounds: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .describe("How long a fit trains: the family's rounds or epochs."),
    seeds: z.array(z.int().min(0).max(2_147_483_647)).min(1).max(16).optional(),
    forceRetrain: z.boolean().default(false),
  })
  .openapi('Train');

const runSchema = z
  .object({
    experimentId: z.string(),
    status: z.enum(STATUSES),
    message: z.string().nullable(),
    createdAt: z.string(),
    finishedAt: z.string().nullable(),
  })
  .openapi('TrainingRun');
const runView = (row: Experiment): z.infer<typeof runSchema> => ({
  experimentId: row.id,
  status: row.status,
  message: row.message,
  createdAt: row.created_at.toISOString(),
  finishedAt: iso(row.finished_at),
});

const statusSchema = z
  .object({
    model: z.string(),
    status: z.enum([...STATUSES, 'none']),
    run: runSchema.nullable(),
    progress: z
      .object({
        stage: z.string().nullable(),
        seed: z.number().nullable(),
        at: z.string(),
        payload: z.record(z.string(), z.unknown()),
      })
      .nullable()
      .describe('The newest event of the run.'),
  })
  .openapi('TrainingStatus');

/** Only this model's runs, though a template run makes several models. */
async function runsOf(parts: ApiParts, model: string): Promise<Experiment[]> {
  const rows = await experimentsAbout(parts.db, model);
  return rows.filter((row) => modelsOf(row.spec as ExperimentSpec).includes(model));
}

/** The runs as they went for this model: it may have failed in one that completed for others. */
async function ownRuns(
  { db }: ApiParts,
  model: string,
  runs: readonly Experiment[],
): Promise<z.infer<typeof runSchema>[]> {
  const ids = runs.filter(({ status }) => status === 'completed').map(({ id }) => id);
  const reasons = await failuresOf(db, model, ids);
  return runs.map((run) => {
    const message = reasons.get(run.id);
    return message === undefined ? runView(run) : { ...runView(run), status: 'failed', message };
  });
}

async function templateOrThrow(parts: ApiParts, model: RegisteredModel): Promise<ExperimentSpec> {
  const template = await templateOf(parts, model);
  if (template) return template;
  throw new ApiError(
    'conflict',
    'model.no-template',
    `${model.name} has neither a template nor a version. Start an experiment from a spec (\`ratchet run\`), or set a template (\`ratchet model update\`).`,
  );
}

/** Training in a few numbers, and what became of it. */
export function trainingRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const train = createRoute({
    method: 'post',
    path: '/api/v1/ml-models/{name}/train',
    tags: ['training'],
    summary: "Train by the model's template",
    request: { params: modelParam, headers: idempotencyHeader, body: jsonRequest(trainSchema) },
    responses: {
      [HTTP.accepted]: jsonAnswer(runSchema.extend({ models: z.array(z.string()) }), 'Started'),
    },
  });
  app.openapi(secured(auth, train, { problems: ['conflict'] }), async (c) => {
    const model = await getModelOrThrow(db, c.req.valid('param').name);
    const body = c.req.valid('json');
    const spec = await readSpec(
      parts,
      trainingSpec(await templateOrThrow(parts, model), model, body),
    );
    const models = modelsOf(spec);
    const foreign = models.find((name) => !mayUseModel(c.var.caller, name));
    if (foreign !== undefined) {
      throw new ApiError('forbidden', 'key.model', 'The template trains models beyond your key.');
    }
    if (memberModels(spec).some((name) => !mayUseModel(c.var.caller, name))) {
      const words = 'The template makes an ensemble of models beyond your key.';
      throw new ApiError('forbidden', 'key.model', words);
    }
    const experiment = await startRun(parts, {
      spec,
      body,
      actor: c.var.caller.keyId,
      requestId: c.var.requestId,
      idempotencyKey: c.req.valid('header')['idempotency-key'],
      route: `POST train ${model.name}`,
    });
    c.header('location', `/api/v1/experiments/${experiment.id}`);
    return c.json({ ...runView(experiment), models }, HTTP.accepted);
  });
  progressRoutes(app, parts);
}

function progressRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const status = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/training-status',
    tags: ['training'],
    summary: 'The newest training of the model',
    request: { params: modelParam },
    responses: { [HTTP.ok]: jsonAnswer(statusSchema, 'Where it stands') },
  });
  app.openapi(secured(auth, status), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(db, name);
    const [run] = await runsOf(parts, name);
    if (!run)
      return c.json({ model: name, status: 'none' as const, run: null, progress: null }, HTTP.ok);
    const event = await lastEvent(parts, run.id);
    const progress = event
      ? {
          stage: event.stage,
          seed: event.seed,
          at: event.at.toISOString(),
          payload: event.payload,
        }
      : null;
    const [own] = await ownRuns(parts, name, [run]);
    return c.json({ model: name, status: own!.status, run: own!, progress }, HTTP.ok);
  });

  const history = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/training-history',
    tags: ['training'],
    summary: 'Trainings of the model, newest first',
    request: { params: modelParam },
    responses: { [HTTP.ok]: jsonAnswer(z.object({ items: z.array(runSchema) }), 'The runs') },
  });
  app.openapi(secured(auth, history), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(db, name);
    return c.json({ items: await ownRuns(parts, name, await runsOf(parts, name)) }, HTTP.ok);
  });
}

/** Events come in pages; a training has a few hundred. */
async function lastEvent(parts: ApiParts, id: string) {
  let last: Awaited<ReturnType<typeof readEvents>>[number] | undefined;
  for (;;) {
    const page = await readEvents(parts.db, id, { afterSeq: last?.seq ?? '0' });
    last = page.at(-1) ?? last;
    if (page.length < 500) return last;
  }
}
