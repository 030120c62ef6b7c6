import { createRoute, z } from '@hono/zod-openapi';
import { barsFileOf, listDatasetVersions } from '../../registry/dataset-versions.ts';
import { askStore } from '../ask-store.ts';
import { HTTP, notFound } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { jsonAnswer, limitQuery } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const deliverySchema = z
  .object({
    dataset: z.string(),
    role: z.enum(['primary', 'fallback', 'substitute', 'exogenous']),
    rows: z.int().describe('Bars taken from it; 0: columns only.'),
    ranges: z.array(
      z.object({
        from: z.string().describe('Open time of the first bar.'),
        to: z.string().describe('Open time of the last bar.'),
        rows: z.int(),
      }),
    ),
    moreRanges: z.int().describe('Ranges that are not listed.'),
  })
  .openapi('DatasetDelivery');

const versionSchema = z
  .object({
    hash: z.string().describe('SHA-256 of the rows.'),
    instrument: z.string(),
    timeframe: z.string(),
    rows: z.int(),
    firstBar: z.string(),
    lastBar: z.string(),
    deliveredBy: z.string(),
    deliveries: z
      .array(deliverySchema)
      .describe('Which bars came from which source, as recorded when they were first frozen.'),
    createdAt: z.string(),
  })
  .openapi('DatasetVersion');

/** The bars that models were trained on, and where each came from. */
export function datasetVersionRoutes(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: '/api/v1/dataset-versions',
    tags: ['datasets'],
    summary: 'Frozen bars, newest first, and which of them came from which source',
    request: {
      query: z.object({
        instrument: z.string().min(1).max(64).optional(),
        hash: z
          .string()
          .regex(/^[0-9a-f]{8,64}$/, 'the first digits of a hash, at least 8')
          .optional(),
        limit: limitQuery,
      }),
    },
    responses: {
      [HTTP.ok]: jsonAnswer(z.object({ items: z.array(versionSchema) }), 'The newest'),
    },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const { limit, instrument, hash } = c.req.valid('query');
    const rows = await listDatasetVersions(parts.db, {
      limit,
      ...(instrument === undefined ? {} : { instrument }),
      ...(hash === undefined ? {} : { hash }),
    });
    const items = rows.map(({ firstBar, lastBar, createdAt, deliveries, ...row }) => ({
      ...row,
      firstBar: firstBar.toISOString(),
      lastBar: lastBar.toISOString(),
      deliveries: deliveries.map((one) => ({ ...one, ranges: one.ranges.map((r) => ({ ...r })) })),
      createdAt: createdAt.toISOString(),
    }));
    return c.json({ items }, HTTP.ok);
  });
  barsRoute(app, parts);
}

function barsRoute(app: App, parts: ApiParts): void {
  const bars = createRoute({
    method: 'get',
    path: '/api/v1/dataset-versions/{hash}/bars',
    tags: ['datasets'],
    summary: 'The bars of a dataset version as one Parquet file',
    request: { params: z.object({ hash: z.string().regex(/^[0-9a-f]{64}$/, 'the whole hash') }) },
    responses: {
      [HTTP.ok]: {
        description: 'open_time (UTC), open, high, low, close, volume, value, exogenous columns',
        content: { 'application/vnd.apache.parquet': { schema: z.string() } },
      },
    },
  });
  app.openapi(secured(parts.auth, bars), async (c) => {
    const { hash } = c.req.valid('param');
    const file = await barsFileOf(parts.db, hash);
    if (!file) throw notFound('dataset.not-found', `There is no dataset version ${hash}.`);
    const bytes = await askStore(parts, (store) => store.get(file));
    // Named by its content: it never changes.
    const headers = {
      'content-type': 'application/vnd.apache.parquet',
      'cache-control': 'private, max-age=31536000, immutable',
    };
    return c.body(new Uint8Array(bytes), HTTP.ok, headers) as never;
  });
}
