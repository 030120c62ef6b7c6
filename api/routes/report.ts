import { createRoute, z } from '@hono/zod-openapi';
import { evaluationSchema, parseEvaluation } from '../../core/evaluation/index.ts';
import { refOf, sha256OfUri } from '../../registry/artifacts.ts';
import { getModelOrThrow, getVersionOrThrow } from '../../registry/models.ts';
import { askStore } from '../ask-store.ts';
import { HTTP, notFound } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { jsonAnswer, versionParam } from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { sendStoredPage } from '../stored-page.ts';

/** The attachment that evaluations leave. */
const REPORT = 'report.html';

/** The evaluation of a version: as the page that was stored with it, and its figures. */
export function reportRoutes(app: App, parts: ApiParts): void {
  evaluationRoute(app, parts);
  const report = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/versions/{version}/report',
    tags: ['versions'],
    summary: 'Its evaluation as one HTML page that loads nothing',
    request: { params: versionParam },
    responses: {
      [HTTP.ok]: { description: 'The page', content: { 'text/html': { schema: z.string() } } },
    },
  });
  app.openapi(secured(parts.auth, report), async (c) => {
    const { name, version } = c.req.valid('param');
    await getModelOrThrow(parts.db, name);
    const { attachments } = await getVersionOrThrow(parts.db, name, version);
    const attachment = attachments.find((file) => file.name === REPORT);
    if (!attachment) {
      throw notFound('report.not-found', `Version ${version} of ${name} has no report.`);
    }
    const bytes = await askStore(parts, (store) => store.get(attachment));
    const page = new TextDecoder().decode(bytes);
    return sendStoredPage(c, page, `report-${name}-v${version}.html`);
  });
}

function evaluationRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/versions/{version}/evaluation',
    tags: ['versions'],
    summary: 'The figures of its evaluation: scores with intervals, baselines, slices, warnings',
    request: { params: versionParam },
    responses: {
      [HTTP.ok]: jsonAnswer(
        evaluationSchema,
        'The evaluation, as evaluation.json of the package has it',
      ),
    },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const { name, version } = c.req.valid('param');
    await getModelOrThrow(parts.db, name);
    const { evaluation_uri: uri } = await getVersionOrThrow(parts.db, name, version);
    if (uri === null) {
      throw notFound('evaluation.not-found', `Version ${version} of ${name} has no evaluation.`);
    }
    const bytes = await askStore(parts, (store) => store.get(refOf(sha256OfUri(uri))));
    c.header('cache-control', 'private, no-cache');
    return c.json(parseEvaluation(bytes), HTTP.ok);
  });
}
