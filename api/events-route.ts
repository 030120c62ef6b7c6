import { createRoute, z } from '@hono/zod-openapi';
import type { Caller } from './auth.ts';
import { HTTP } from './errors.ts';
import { eventsAnswer, StreamPlaces, type EventRow, type EventSource } from './event-stream.ts';
import type { ApiParts } from './parts.ts';
import { jsonAnswer, sequenceText } from './schemas.ts';
import { secured, type App } from './secure.ts';

interface EventsRoute<R extends EventRow> {
  /** Of what has the events: its route, with `{id}`. */
  readonly path: string;
  readonly params: z.ZodObject<{ id: z.ZodString }>;
  readonly tag: string;
  readonly summary: string;
  readonly event: z.ZodType;
  /** The events of one; throws where the caller may not see it. */
  readonly sourceFor: (caller: Caller, id: string) => Promise<EventSource<R>>;
}

/**
 * Progress of something that ends. `Accept: text/event-stream` streams it until it has ended and resumes after
 * `Last-Event-ID`; otherwise one page comes as JSON.
 */
export function eventsRoute<R extends EventRow>(
  app: App,
  parts: ApiParts,
  { path, params, tag, summary, event, sourceFor }: EventsRoute<R>,
): void {
  const route = createRoute({
    method: 'get',
    path: `${path}/events`,
    tags: [tag],
    summary,
    request: {
      params,
      query: z.object({ after: sequenceText.optional().describe('Only events after this `seq`.') }),
      headers: z.object({ 'last-event-id': sequenceText.optional() }),
    },
    responses: {
      [HTTP.ok]: {
        description: 'Events in order',
        content: {
          ...jsonAnswer(z.object({ items: z.array(event), ended: z.boolean() }), 'One page')
            .content,
          'text/event-stream': { schema: z.string() },
        },
      },
    },
  });
  const places = new StreamPlaces();
  app.openapi(secured(parts.auth, route), async (c) => {
    const source = await sourceFor(c.var.caller, c.req.valid('param').id);
    const after = c.req.valid('header')['last-event-id'] ?? c.req.valid('query').after ?? '0';
    return (await eventsAnswer(parts, c, places, { source, after })) as never;
  });
}
