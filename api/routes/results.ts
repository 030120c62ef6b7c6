import { createRoute, z } from '@hono/zod-openapi';
import { acceptedAnswer, stillPending } from '../async-answer.ts';
import { ApiError, HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { ulidSchema } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

/** Answers of requests that came with `Prefer: respond-async`. */
export function resultRoutes(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: '/api/v1/results/{id}',
    tags: ['predict'],
    summary: 'The answer of an asynchronous request',
    description:
      'For the key that asked, and admins. Where the request failed: 422 `result.failed` with its `problem`. It is there for ' +
      'an hour after it was computed.',
    request: { params: z.object({ id: ulidSchema }) },
    responses: {
      [HTTP.ok]: {
        description: 'What the request would have been answered',
        content: { 'application/json': { schema: z.looseObject({}) } },
      },
      ...acceptedAnswer,
    },
  });
  app.openapi(secured(parts.auth, route, { problems: ['unprocessable'] }), async (c) => {
    const { id } = c.req.valid('param');
    const found = await parts.results.find(c.var.caller, id);
    if (found.status === 'pending') return stillPending(c, id, found.durable) as never;
    if (found.status === 'failed') {
      const { problem } = found;
      throw new ApiError('unprocessable', 'result.failed', String(problem['detail']), {
        details: { problem },
      });
    }
    c.header('cache-control', 'no-store');
    return c.body(found.text, HTTP.ok, { 'content-type': found.contentType }) as never;
  });
}
