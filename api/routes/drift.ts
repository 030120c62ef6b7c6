import { createRoute, z } from '@hono/zod-openapi';
import {
  driftReasonSchema,
  driftReportSchema,
  driftVerdictSchema,
} from '../../core/drift/schemas.ts';
import {
  driftCalibration,
  getDriftReport,
  listDriftReports,
  type DriftReportRow,
  type DriftReportSummary,
} from '../../registry/drift.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import { askStore } from '../ask-store.ts';
import { HTTP, notFound } from '../errors.ts';
import { cursorOf, nextCursor } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import {
  instant,
  jsonAnswer,
  limitQuery,
  modelParam,
  timeCursor,
  versionNumber,
  versionText,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { sendStoredPage } from '../stored-page.ts';

const summarySchema = z
  .object({
    id: z.string(),
    model: z.string(),
    version: z.int(),
    asOf: z.string().describe('Market time that it is about.'),
    verdict: driftVerdictSchema,
    signals: z.array(driftReasonSchema).describe('Of them each may start a retrain.'),
    words: z.array(z.string()),
    createdAt: z.string(),
  })
  .openapi('DriftReportSummary');

const reportSchema = summarySchema
  .extend({
    // A report of an earlier release may lack what this one writes: it is given as it was stored.
    report: z
      .looseObject(driftReportSchema.partial().shape)
      .describe('Every figure that the verdict rests on; see docs/drift.md.'),
    calibration: z
      .object({
        key: z.string().describe('sha256 of the losses that it was made of.'),
        through: z.string().describe('The last of them; the test goes on behind it.'),
        createdAt: z.string(),
      })
      .nullable()
      .describe('Of the loss test; null: the version is not calibrated.'),
  })
  .openapi('DriftReport');

const reportParam = modelParam.extend({
  id: z.string().regex(/^drift-[0-9a-f]{26}$/, 'an id such as drift-0123456789abcdef0123456789'),
});

function summary(row: DriftReportSummary): z.infer<typeof summarySchema> {
  return {
    id: row.id,
    model: row.model,
    version: row.version,
    asOf: row.as_of.toISOString(),
    verdict: row.verdict,
    signals: driftReasonSchema.array().parse(row.signals),
    words: [...row.words],
    createdAt: row.created_at.toISOString(),
  };
}

async function whole({ db }: ApiParts, row: DriftReportRow): Promise<z.infer<typeof reportSchema>> {
  const kept = await driftCalibration(db, row.model, row.version);
  return {
    ...summary(row),
    report: row.report as z.infer<typeof reportSchema>['report'],
    calibration: kept
      ? {
          key: kept.key,
          through: String((kept.calibration as { readonly through?: unknown }).through),
          createdAt: kept.created_at.toISOString(),
        }
      : null,
  };
}

/** Drift reports: the newest, the list, one as JSON and as a page. */
export function driftRoutes(app: App, parts: ApiParts): void {
  listRoute(app, parts);
  readRoutes(app, parts);
}

function listRoute(app: App, parts: ApiParts): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/drift',
    tags: ['drift'],
    summary: 'The newest drift report, and all of them, newest market time first',
    request: {
      params: modelParam,
      query: z.object({
        limit: limitQuery,
        version: z.coerce.number().pipe(versionNumber).optional(),
        asOf: instant
          .optional()
          .describe(
            'Only reports of this market time or before it; a date: its start (00:00 UTC).',
          ),
        cursor: cursorOf(timeCursor(versionText)),
      }),
    },
    responses: {
      [HTTP.ok]: jsonAnswer(
        z.object({
          newest: reportSchema.nullable().describe('null: there is none, or a cursor was given.'),
          items: z.array(summarySchema),
          nextCursor: z.string().nullable(),
        }),
        'One page',
      ),
    },
  });
  app.openapi(secured(parts.auth, list), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(parts.db, name);
    const { limit, version, asOf, cursor } = c.req.valid('query');
    const rows = await listDriftReports(parts.db, {
      model: name,
      limit,
      version,
      asOf: asOf === undefined ? undefined : new Date(asOf),
      before: cursor && { asOf: cursor.at, version: cursor.rest },
    });
    const first = cursor ? undefined : rows[0];
    const newest = first && (await getDriftReport(parts.db, name, first.id));
    const answer = {
      newest: newest ? await whole(parts, newest) : null,
      items: rows.map(summary),
      nextCursor: nextCursor(rows, limit, (last) => `${last.as_of.toISOString()}_${last.version}`),
    };
    return c.json(answer, HTTP.ok);
  });
}

function readRoutes(app: App, parts: ApiParts): void {
  const reportOf = async ({ name, id }: { name: string; id: string }): Promise<DriftReportRow> => {
    await getModelOrThrow(parts.db, name);
    const row = await getDriftReport(parts.db, name, id);
    if (row) return row;
    throw notFound('drift.not-found', `${name} has no drift report ${id}.`);
  };

  const read = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/drift/{id}',
    tags: ['drift'],
    summary: 'One drift report with all of its figures',
    request: { params: reportParam },
    responses: { [HTTP.ok]: jsonAnswer(reportSchema, 'The report') },
  });
  app.openapi(secured(parts.auth, read), async (c) =>
    c.json(await whole(parts, await reportOf(c.req.valid('param'))), HTTP.ok),
  );

  const page = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/drift/{id}/page',
    tags: ['drift'],
    summary: 'A drift report as one HTML page that loads nothing',
    request: { params: reportParam },
    responses: {
      [HTTP.ok]: { description: 'The page', content: { 'text/html': { schema: z.string() } } },
    },
  });
  app.openapi(secured(parts.auth, page), async (c) => {
    const { name, id } = c.req.valid('param');
    const { page_uri: uri, page_sha256: sha256 } = await reportOf({ name, id });
    if (uri === null || sha256 === null) {
      throw notFound('drift.page-not-found', `The drift report ${id} has no page.`);
    }
    const bytes = await askStore(parts, (store) => store.get({ uri, sha256 }));
    const html = new TextDecoder().decode(bytes);
    return sendStoredPage(c, html, `${id}-${name}.html`);
  });
}
