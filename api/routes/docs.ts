import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createRoute, z, type RouteConfig } from '@hono/zod-openapi';
import { HTTP, notFound } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { secured, type App } from '../secure.ts';

/** Files of swagger-ui that the page needs, by name; nothing else is read. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};
const ASSET_FOLDER = dirname(
  createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'),
);

/** The page loads nothing from elsewhere, and no script but its own files. */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  // swagger-ui writes style attributes and inlines its icons.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Ratchet API</title>
    <link rel="icon" href="/docs/favicon-32x32.png" />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;
const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  validatorUrl: null,
});
`;

/** OpenAPI as JSON, and a page that shows it with files of this server only. */
export function docsRoutes(app: App, parts: ApiParts): void {
  const text = (type: string) => ({ content: { [type]: { schema: z.string() } } });
  const page = createRoute({
    method: 'get',
    path: '/docs',
    tags: ['server'],
    summary: 'This documentation as a page',
    responses: { [HTTP.ok]: { description: 'HTML', ...text('text/html') } },
  });
  app.openapi(secured(parts.auth, page), (c) => {
    c.header('content-security-policy', CSP);
    return c.html(PAGE, HTTP.ok);
  });

  const root = createRoute({
    method: 'get',
    path: '/',
    tags: ['server'],
    summary: 'Leads to the documentation page',
    responses: { [HTTP.redirect]: { description: 'To /docs' } },
  });
  app.openapi(secured(parts.auth, root), (c) => c.redirect('/docs', HTTP.redirect));

  const file = createRoute({
    method: 'get',
    path: '/docs/{file}',
    tags: ['server'],
    summary: 'A file of the documentation page',
    request: { params: z.object({ file: z.string().max(64) }) },
    responses: { [HTTP.ok]: { description: 'The file', ...text('application/octet-stream') } },
  });
  app.openapi(secured(parts.auth, file), async (c) => {
    const name = c.req.valid('param').file;
    if (name === 'start.js')
      return c.body(START, HTTP.ok, headers('text/javascript; charset=utf-8'));
    const type = Object.hasOwn(ASSETS, name) ? ASSETS[name] : undefined;
    if (type === undefined) throw notFound('docs.not-found', 'There is no such file.');
    const bytes = await readFile(join(ASSET_FOLDER, name));
    return c.body(new Uint8Array(bytes), HTTP.ok, headers(type));
  });

  const openapi = createRoute({
    method: 'get',
    path: '/openapi.json',
    tags: ['server'],
    summary: 'OpenAPI 3.1',
    responses: {
      [HTTP.ok]: {
        description: 'The document',
        content: { 'application/json': { schema: z.record(z.string(), z.unknown()) } },
      },
    },
  });
  let document: Record<string, unknown> | undefined;
  app.openapi(secured(parts.auth, openapi), (c) => {
    // Made once, when all routes are there: it takes some 50 ms.
    document ??= openApiDocument(app, parts.version) as Record<string, unknown>;
    return c.json(document, HTTP.ok);
  });
}

const headers = (type: string): Record<string, string> => ({
  'content-type': type,
  'cache-control': 'public, max-age=3600',
});

/** The whole API from the schemas of its routes. */
export function openApiDocument(app: App, version: string): object {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Ratchet',
      version,
      description: 'Durable MLOps for market models: a champion is replaced only by a better one.',
      license: { name: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
  });
  // Its validator must run for routes to see defaults, so each is declared as required.
  for (const { method, path } of bodiesLeftOut(app)) {
    if (method !== 'post' && method !== 'put') continue;
    const body = document.paths?.[path]?.[method]?.requestBody;
    if (body !== undefined) Object.assign(body, { required: false, description: LEFT_OUT });
  }
  return document;
}

const LEFT_OUT = 'May be left out (then without a `Content-Type`): the same as `{}`.';

/** Routes of whose body every field may be left out, and so the body. */
const bodiesLeftOut = (app: App): readonly Pick<RouteConfig, 'method' | 'path'>[] =>
  app.openAPIRegistry.definitions.flatMap((one) => {
    if (one.type !== 'route') return [];
    const json = one.route.request?.body?.content['application/json'];
    const schema = json && 'schema' in json ? json.schema : undefined;
    // Of any other kind the schema documents, and the route itself checks.
    return schema instanceof z.ZodObject && schema.safeParse({}).success ? [one.route] : [];
  });
