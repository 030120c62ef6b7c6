import { createRoute, z } from '@hono/zod-openapi';
import type { Caller } from './auth.ts';
import { HTTP } from './errors.ts';
import { serveEvents } from './event-socket.ts';
import { eventsAnswer, type EventRow, type EventSource } from './event-stream.ts';
import type { ApiParts } from './parts.ts';
import { jsonAnswer, sequenceText } from './schemas.ts';
import { secured, type App } from './secure.ts';
import { EVENTS_PROTOCOL, upgradeOf } from './socket-protocol.ts';

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

const DESCRIPTION = `One page as JSON; or all of them until what they tell of has ended, resumed behind the last one
seen. \`Accept: text/event-stream\`: as server-sent events, resumed by \`Last-Event-ID\`; cut within some 15 s of the end of
its key. As a WebSocket: each event
is a text frame \`{"id", "event", "data"}\`, resumed by \`after\`; it closes with 1000 once all are sent, 1001 where the
server stops and 1011 where it cannot read them (open it again), 1008 where the key is no longer good or anything was
sent to it. Pages give their key as a subprotocol: \`new WebSocket(url, ['${EVENTS_PROTOCOL}', 'ratchet.key.' + key])\`.`;

/**
 * Progress of something that ends: a stream, a WebSocket, or a page as JSON, as the request asks for it.
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
    description: DESCRIPTION,
    request: {
      params,
      query: z.object({ after: sequenceText.optional().describe('Only events after this `seq`.') }),
      headers: z.object({ 'last-event-id': sequenceText.optional() }),
    },
    responses: {
      [HTTP.switching]: { description: 'A WebSocket of events, where `Upgrade` asks for it' },
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
  app.openapi(secured(parts.auth, route), async (c) => {
    const source = await sourceFor(c.var.caller, c.req.valid('param').id);
    const after = c.req.valid('header')['last-event-id'] ?? c.req.valid('query').after ?? '0';
    const stillAllowed = () => parts.auth.identifyRequest(c);
    const upgrade = upgradeOf(c);
    if (upgrade) {
      const { requestId, caller } = c.var;
      upgrade.accept(caller.keyId, (socket) => {
        void serveEvents(socket, { ...parts, source, after, stillAllowed, requestId });
      });
      // Nobody sees this answer: the connection is no longer HTTP.
      return c.body(null, HTTP.noContent) as never;
    }
    return (await eventsAnswer(parts, c, { source, after, stillAllowed })) as never;
  });
}
