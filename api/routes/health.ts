import { createRoute, z } from '@hono/zod-openapi';
import { HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { jsonAnswer } from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { notReady, readinessOf } from './inference.ts';

/** For supervisors and scrapers. */
export function healthRoutes(app: App, parts: ApiParts): void {
  const live = createRoute({
    method: 'get',
    path: '/livez',
    tags: ['server'],
    summary: 'Is the process alive?',
    responses: { [HTTP.ok]: jsonAnswer(z.object({ status: z.literal('alive') }), 'Alive') },
  });
  app.openapi(secured(parts.auth, live), (c) => c.json({ status: 'alive' as const }, HTTP.ok));

  const ready = createRoute({
    method: 'get',
    path: '/readyz',
    tags: ['server'],
    summary: 'Does it serve what it should? Names what is away meanwhile',
    responses: {
      [HTTP.ok]: jsonAnswer(
        z.object({
          status: z.literal('ready'),
          missing: z.array(z.string()).describe('Servers that do not answer now.'),
        }),
        'Ready',
      ),
    },
  });
  app.openapi(secured(parts.auth, ready), (c) => {
    const readiness = readinessOf(parts);
    if (!readiness.ready) return notReady(c, readiness.reasons) as never;
    return c.json({ status: 'ready' as const, missing: [...readiness.missing] }, HTTP.ok);
  });

  const metrics = createRoute({
    method: 'get',
    path: '/metrics',
    tags: ['server'],
    summary: 'Prometheus metrics',
    responses: {
      [HTTP.ok]: {
        description: 'Text format',
        content: { 'text/plain': { schema: z.string() } },
      },
    },
  });
  app.openapi(secured(parts.auth, metrics), async (c) =>
    c.text(await parts.metrics.registry.metrics(), HTTP.ok),
  );
}
