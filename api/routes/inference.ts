import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { labelKindOrThrow, labelOutputs } from '../../core/labels/index.ts';
import { ApiError, HTTP, problemResponse } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { jsonAnswer, jsonRequest, modelParam, versionParam } from '../schemas.ts';
import { secured, type App, type Env } from '../secure.ts';
import type { Readiness, ServedDescription } from '../serving/serving.ts';

/** Windows in one request. */
const MAX_WINDOWS = 64;

const tensor = z.object({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.int()).describe('-1: any.'),
});
const metadataSchema = z
  .object({
    name: z.string(),
    versions: z.array(z.string()),
    platform: z.string(),
    inputs: z.array(tensor),
    outputs: z.array(tensor),
    parameters: z.record(z.string(), z.unknown()),
  })
  .openapi('InferenceModel');
const inferSchema = z
  .object({
    id: z.string().max(100).optional(),
    inputs: z
      .array(
        z.object({
          name: z.string().max(64),
          shape: z.array(z.int().min(1).max(1_000_000)).min(1).max(4),
          datatype: z.string().max(16),
          data: z.array(z.unknown()).max(1_000_000),
        }),
      )
      .length(1, 'one input, "x"'),
  })
  .openapi('InferenceRequest');
const inferenceSchema = z
  .object({
    id: z.string().optional(),
    model_name: z.string(),
    model_version: z.string(),
    outputs: z.array(
      z.object({
        name: z.string(),
        datatype: z.string(),
        shape: z.array(z.int()),
        data: z.array(z.number()),
      }),
    ),
  })
  .openapi('InferenceAnswer');

function metadata({ model, version, pkg }: ServedDescription): z.infer<typeof metadataSchema> {
  const { lookback, featureNames, label } = pkg.preprocessing;
  const kind = labelKindOrThrow(label.kind);
  const outputs = label.horizons.length * labelOutputs(kind);
  return {
    name: model,
    versions: [String(version)],
    platform: 'onnx_onnxv1',
    inputs: [{ name: 'x', datatype: 'FP64', shape: [-1, lookback, featureNames.length] }],
    outputs: [{ name: 'y', datatype: 'FP64', shape: [-1, outputs] }],
    parameters: {
      featureNames,
      label: label.kind,
      horizons: label.horizons,
      // Of each horizon: probabilities in this order.
      ...(kind.task === 'classification' && { classes: kind.classes }),
      packageDigest: pkg.packageDigest,
    },
  };
}

/** Numbers of `data`, nested or flat; throws a 422 that says where it is not a number. */
function flatten(data: readonly unknown[], into: Float64Array): number {
  let at = 0;
  const take = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const inner of value) take(inner);
      return;
    }
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw wrongInput('/inputs/0/data', `element ${at} is not a finite number`);
    }
    if (at < into.length) into[at] = value;
    at++;
  };
  take(data);
  return at;
}

const wrongInput = (path: string, message: string): ApiError =>
  new ApiError('unprocessable', 'infer.input', `${message}.`, { issues: [{ path, message }] });

function windowsOf(
  body: z.infer<typeof inferSchema>,
  described: ServedDescription,
): Float64Array[] {
  const [input] = body.inputs;
  const { lookback, featureNames } = described.pkg.preprocessing;
  if (input!.name !== 'x') throw wrongInput('/inputs/0/name', 'the input is named "x"');
  if (input!.datatype !== 'FP64') throw wrongInput('/inputs/0/datatype', 'must be FP64');
  const [n, rows, columns, ...rest] = input!.shape;
  if (rows !== lookback || columns !== featureNames.length || rest.length > 0) {
    throw wrongInput('/inputs/0/shape', `must be [n, ${lookback}, ${featureNames.length}]`);
  }
  if (n! > MAX_WINDOWS) throw wrongInput('/inputs/0/shape', `at most ${MAX_WINDOWS} windows`);
  const size = rows * columns;
  const values = new Float64Array(n! * size);
  const count = flatten(input!.data, values);
  if (count !== values.length) {
    throw wrongInput('/inputs/0/data', `${count} numbers for a shape of ${values.length}`);
  }
  return Array.from({ length: n! }, (_, i) => values.subarray(i * size, (i + 1) * size));
}

/** The Open Inference Protocol (V2): raw windows in, label units out. */
export function inferenceRoutes(app: App, parts: ApiParts): void {
  healthRoutes(app, parts);
  modelRoutes(app, parts);

  const answer = async (
    name: string,
    version: number | undefined,
    body: z.infer<typeof inferSchema>,
  ): Promise<z.infer<typeof inferenceSchema>> => {
    const described = await parts.serving.describe(name, version);
    const windows = windowsOf(body, described);
    // The version that the windows were checked against: a new champion may want another shape.
    const { values, version: answered } = await parts.serving.infer(
      name,
      described.version,
      windows,
    );
    const shape = [windows.length, values.length / windows.length];
    return {
      ...(body.id === undefined ? {} : { id: body.id }),
      model_name: name,
      model_version: String(answered),
      outputs: [{ name: 'y', datatype: 'FP64', shape, data: Array.from(values) }],
    };
  };
  const common = {
    method: 'post' as const,
    tags: ['inference'],
    responses: { [HTTP.ok]: jsonAnswer(inferenceSchema, 'Forecasts in label units') },
  };
  const infer = createRoute({
    ...common,
    path: '/v2/models/{name}/infer',
    summary: 'Infer with the champion',
    request: { params: modelParam, body: jsonRequest(inferSchema) },
  });
  app.openapi(secured(parts.auth, infer, { problems: ['conflict'] }), async (c) =>
    c.json(await answer(c.req.valid('param').name, undefined, c.req.valid('json')), HTTP.ok),
  );
  const inferVersion = createRoute({
    ...common,
    path: '/v2/models/{name}/versions/{version}/infer',
    summary: 'Infer with a version',
    request: { params: versionParam, body: jsonRequest(inferSchema) },
  });
  app.openapi(secured(parts.auth, inferVersion), async (c) => {
    const { name, version } = c.req.valid('param');
    return c.json(await answer(name, version, c.req.valid('json')), HTTP.ok);
  });
}

function healthRoutes(app: App, parts: ApiParts): void {
  const server = createRoute({
    method: 'get',
    path: '/v2',
    tags: ['inference'],
    summary: 'What this server is',
    responses: {
      [HTTP.ok]: jsonAnswer(
        z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) }),
        'Name and version',
      ),
    },
  });
  app.openapi(secured(parts.auth, server), (c) =>
    c.json({ name: 'ratchet', version: parts.version, extensions: [] }, HTTP.ok),
  );
  const live = createRoute({
    method: 'get',
    path: '/v2/health/live',
    tags: ['inference'],
    summary: 'Is the process alive?',
    responses: { [HTTP.ok]: jsonAnswer(z.object({ live: z.boolean() }), 'Alive') },
  });
  app.openapi(secured(parts.auth, live), (c) => c.json({ live: true }, HTTP.ok));
  const ready = createRoute({
    method: 'get',
    path: '/v2/health/ready',
    tags: ['inference'],
    summary: 'Does it serve what it should?',
    responses: { [HTTP.ok]: jsonAnswer(z.object({ ready: z.boolean() }), 'Ready') },
  });
  app.openapi(secured(parts.auth, ready), (c) => {
    const { ready: isReady, reasons } = readinessOf(parts);
    if (!isReady) return notReady(c, reasons) as never;
    return c.json({ ready: true }, HTTP.ok);
  });
}

/** What serving says; a process that drains is not ready, so that new requests go elsewhere. */
export function readinessOf({ serving, stopping }: ApiParts): Readiness {
  const readiness = serving.readiness();
  if (!stopping.aborted) return readiness;
  return { ...readiness, ready: false, reasons: [...readiness.reasons, 'it is being stopped'] };
}

/** 503 with the reasons. */
export function notReady(c: Context<Env>, reasons: readonly string[]): Response {
  const problem = new ApiError('unavailable', 'server.not-ready', reasons.join('; '), {
    retryAfterS: 1,
  });
  return problemResponse(c, problem, c.var.requestId);
}

function modelRoutes(app: App, parts: ApiParts): void {
  const metadataAnswer = { [HTTP.ok]: jsonAnswer(metadataSchema, 'Inputs and outputs') };
  const readyAnswer = { [HTTP.ok]: jsonAnswer(z.object({ ready: z.boolean() }), 'Ready') };
  const get = { method: 'get' as const, tags: ['inference'] };

  const model = createRoute({
    ...get,
    path: '/v2/models/{name}',
    summary: 'What the champion takes and gives',
    request: { params: modelParam },
    responses: metadataAnswer,
  });
  app.openapi(secured(parts.auth, model, { problems: ['conflict'] }), async (c) =>
    c.json(metadata(await parts.serving.describe(c.req.valid('param').name)), HTTP.ok),
  );
  const version = createRoute({
    ...get,
    path: '/v2/models/{name}/versions/{version}',
    summary: 'What a version takes and gives',
    request: { params: versionParam },
    responses: metadataAnswer,
  });
  app.openapi(secured(parts.auth, version), async (c) => {
    const { name, version: number } = c.req.valid('param');
    return c.json(metadata(await parts.serving.describe(name, number)), HTTP.ok);
  });
  const modelReady = createRoute({
    ...get,
    path: '/v2/models/{name}/ready',
    summary: 'Does the model answer?',
    request: { params: modelParam },
    responses: readyAnswer,
  });
  app.openapi(secured(parts.auth, modelReady, { problems: ['conflict'] }), async (c) => {
    await parts.serving.describe(c.req.valid('param').name);
    return c.json({ ready: true }, HTTP.ok);
  });
  const versionReady = createRoute({
    ...get,
    path: '/v2/models/{name}/versions/{version}/ready',
    summary: 'Does the version answer?',
    request: { params: versionParam },
    responses: readyAnswer,
  });
  app.openapi(secured(parts.auth, versionReady), async (c) => {
    const { name, version: number } = c.req.valid('param');
    await parts.serving.describe(name, number);
    return c.json({ ready: true }, HTTP.ok);
  });
}
