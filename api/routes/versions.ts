import { createRoute, z } from '@hono/zod-openapi';
import { flatMetricDirection } from '../../core/evaluation/index.ts';
import { currentChampion } from '../../registry/champions.ts';
import {
  compareVersions,
  getModelOrThrow,
  getVersionOrThrow,
  listVersions,
  type ModelVersion,
} from '../../registry/models.ts';
import { deleteVersion } from '../../registry/retirement.ts';
import { HTTP, notFound, type ApiError } from '../errors.ts';
import { nextCursor, pageQuery } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import { iso, jsonAnswer, modelParam, versionNumber, versionParam } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const metricsSchema = z
  .record(z.string(), z.number().nullable())
  .describe('By name, such as `h7.rmse`; null: not defined on these rows.');
const versionSchema = z
  .object({
    model: z.string(),
    version: z.int(),
    champion: z.boolean(),
    family: z.string(),
    seed: z.int().nullable(),
    instruments: z.array(z.string()),
    experimentId: z.string(),
    datasetHash: z.string(),
    specHash: z.string(),
    packageDigest: z.string().nullable(),
    packageBytes: z.number().nullable(),
    trainedThrough: z.string().nullable(),
    beatsNaive: z.boolean().nullable(),
    verdict: z.string().nullable(),
    metrics: metricsSchema,
    createdAt: z.string(),
  })
  .openapi('ModelVersion');

function view(row: ModelVersion, champion: number | undefined): z.infer<typeof versionSchema> {
  return {
    model: row.model,
    version: row.version,
    champion: row.version === champion,
    family: row.family,
    seed: row.seed,
    instruments: [...row.instruments],
    experimentId: row.experiment_id,
    datasetHash: row.dataset_hash,
    specHash: row.spec_hash,
    packageDigest: row.package_digest,
    packageBytes: row.package_bytes,
    trainedThrough: iso(row.trained_through),
    beatsNaive: row.beats_naive,
    verdict: row.verdict,
    metrics: row.metrics ?? {},
    createdAt: row.created_at.toISOString(),
  };
}

export const metricName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/, 'a metric such as h7.rmse');

/**
 * Which way is better: the catalogues say it for a metric they know (`h7.rmse`, `seedSd`), else
 * the naming rule does: `...Loss` and `...Error` are better when lower.
 */
export function directionOf(metric: string): 'higher' | 'lower' {
  const known = flatMetricDirection(metric);
  if (known !== undefined) return known;
  const last = metric.slice(metric.lastIndexOf('.') + 1);
  return /(loss|error)$/i.test(last) ? 'lower' : 'higher';
}

/** Versions: list, read, delete, compare, metrics. */
export function versionRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const championOf = async (model: string): Promise<number | undefined> =>
    (await currentChampion(db, model))?.version;

  const list = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/versions',
    tags: ['versions'],
    summary: 'Versions, newest first',
    request: {
      params: modelParam,
      query: z.object({
        ...pageQuery(z.coerce.number().pipe(versionNumber)),
      }),
    },
    responses: {
      [HTTP.ok]: jsonAnswer(
        z.object({ items: z.array(versionSchema), nextCursor: z.int().nullable() }),
        'One page',
      ),
    },
  });
  app.openapi(secured(auth, list), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(db, name);
    const query = c.req.valid('query');
    const [rows, champion] = await Promise.all([listVersions(db, name, query), championOf(name)]);
    const items = rows.map((row) => view(row, champion));
    const next = nextCursor(rows, query.limit, ({ version }) => version);
    return c.json({ items, nextCursor: next }, HTTP.ok);
  });

  const read = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/versions/{version}',
    tags: ['versions'],
    summary: 'One version',
    request: { params: versionParam },
    responses: { [HTTP.ok]: jsonAnswer(versionSchema, 'The version') },
  });
  app.openapi(secured(auth, read), async (c) => {
    const { name, version } = c.req.valid('param');
    await getModelOrThrow(db, name);
    const row = await getVersionOrThrow(db, name, version);
    return c.json(view(row, await championOf(name)), HTTP.ok);
  });

  const remove = createRoute({
    method: 'delete',
    path: '/api/v1/ml-models/{name}/versions/{version}',
    tags: ['versions'],
    summary: 'Delete a version that neither serves nor is on trial',
    request: { params: versionParam },
    responses: { [HTTP.noContent]: { description: 'Deleted' } },
  });
  app.openapi(secured(auth, remove, { problems: ['conflict'] }), async (c) => {
    const { name, version } = c.req.valid('param');
    const actor = c.var.caller.keyId;
    await deleteVersion(db, name, version, { actor, requestId: c.var.requestId });
    return c.body(null, HTTP.noContent);
  });

  compareRoute(app, parts);
  metricsRoute(app, parts);
}

function compareRoute(app: App, parts: ApiParts): void {
  const compare = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/compare/{metric}',
    tags: ['versions'],
    summary: 'Versions by one metric, best first',
    request: {
      params: modelParam.extend({ metric: metricName }),
      query: z.object({ direction: z.enum(['higher', 'lower']).optional() }),
    },
    responses: {
      [HTTP.ok]: jsonAnswer(
        z.object({
          metric: z.string(),
          better: z.enum(['higher', 'lower']),
          items: z.array(
            z.object({ version: z.int(), value: z.number().nullable(), champion: z.boolean() }),
          ),
        }),
        'The versions',
      ),
    },
  });
  app.openapi(secured(parts.auth, compare), async (c) => {
    const { name, metric } = c.req.valid('param');
    await getModelOrThrow(parts.db, name);
    const better = c.req.valid('query').direction ?? directionOf(metric);
    const items = await compareVersions(parts.db, name, metric, better);
    if (items.length > 0 && items.every((item) => item.value === null)) {
      throw await unknownMetric(parts, name, metric);
    }
    return c.json({ metric, better, items }, HTTP.ok);
  });
}

/** Names the metrics that there are. */
export async function unknownMetric(
  parts: ApiParts,
  model: string,
  metric: string,
): Promise<ApiError> {
  const rows = await listVersions(parts.db, model, { limit: 20 });
  const known = [...new Set(rows.flatMap((row) => Object.keys(row.metrics ?? {})))].sort();
  const list = known.length > 0 ? known.slice(0, 30).join(', ') : 'none';
  return notFound('metric.unknown', `No version has the metric ${metric}. Known: ${list}.`);
}

function metricsRoute(app: App, parts: ApiParts): void {
  const metrics = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/metrics',
    tags: ['versions'],
    summary: 'Metrics of the champion, or of a version',
    request: {
      params: modelParam,
      query: z.object({ version: z.coerce.number().pipe(versionNumber).optional() }),
    },
    responses: {
      [HTTP.ok]: jsonAnswer(
        versionSchema.pick({
          model: true,
          version: true,
          champion: true,
          metrics: true,
          beatsNaive: true,
          verdict: true,
        }),
        'Its metrics',
      ),
    },
  });
  app.openapi(secured(parts.auth, metrics), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(parts.db, name);
    const champion = (await currentChampion(parts.db, name))?.version;
    const version = c.req.valid('query').version ?? champion;
    if (version === undefined) {
      throw notFound('champion.none', `${name} has no champion yet; name a version.`);
    }
    const row = await getVersionOrThrow(parts.db, name, version);
    const { model, metrics: values, beatsNaive, verdict } = view(row, champion);
    const answer = { model, version, champion: version === champion, metrics: values };
    return c.json({ ...answer, beatsNaive, verdict }, HTTP.ok);
  });
}
