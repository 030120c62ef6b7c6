import { createRoute, z } from '@hono/zod-openapi';
import {
  backtestOrThrow,
  endBacktest,
  readBacktestEvents,
  type Backtest,
  type BacktestEvent,
} from '../../registry/backtests.ts';
import { HTTP } from '../errors.ts';
import { eventsAnswer, StreamPlaces, type EventSource } from '../event-stream.ts';
import type { ApiParts } from '../parts.ts';
import { jsonAnswer, sequenceText } from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import {
  backtestFor,
  backtestParam,
  BACKTESTS,
  backtestSchema,
  backtestView,
} from './backtests.ts';

const eventSchema = z
  .object({
    seq: z.string(),
    at: z.string(),
    kind: z.enum(['plan', 'fold', 'answers', 'result', 'done']),
    payload: z.record(z.string(), z.unknown()),
  })
  .openapi('BacktestEvent');
const eventView = ({ seq, at, kind, payload }: BacktestEvent): z.infer<typeof eventSchema> => ({
  ...{ seq, kind, payload: { ...payload } },
  at: at.toISOString(),
});

/** A backtest that is under way: its progress, and its end before its time. */
export function backtestProgressRoutes(app: App, parts: ApiParts): void {
  eventRoute(app, parts);
  cancelRoute(app, parts);
}

const isOver = ({ status }: Backtest): boolean => status !== 'queued' && status !== 'running';

function eventRoute(app: App, parts: ApiParts): void {
  const { db } = parts;
  const route = createRoute({
    method: 'get',
    path: `${BACKTESTS}/{id}/events`,
    tags: ['backtests'],
    summary: 'Progress of a backtest, as a stream or a page',
    request: {
      params: backtestParam,
      query: z.object({ after: sequenceText.optional().describe('Only events after this `seq`.') }),
      headers: z.object({ 'last-event-id': sequenceText.optional() }),
    },
    responses: {
      [HTTP.ok]: {
        description: 'Events in order',
        content: {
          ...jsonAnswer(z.object({ items: z.array(eventSchema), ended: z.boolean() }), 'One page')
            .content,
          'text/event-stream': { schema: z.string() },
        },
      },
    },
  });
  const places = new StreamPlaces();
  app.openapi(secured(parts.auth, route), async (c) => {
    const { id } = c.req.valid('param');
    await backtestFor(parts, c.var.caller, id);
    const after = c.req.valid('header')['last-event-id'] ?? c.req.valid('query').after ?? '0';
    const source: EventSource<BacktestEvent> = {
      ended: async () => isOver(await backtestOrThrow(db, id)),
      read: (from, limit) => readBacktestEvents(db, id, { after: from, limit }),
      view: eventView,
    };
    return (await eventsAnswer(parts, c, places, { source, after })) as never;
  });
}

function cancelRoute(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'post',
    path: `${BACKTESTS}/{id}/cancel`,
    tags: ['backtests'],
    summary: 'Stop a backtest, and what it trains',
    request: { params: backtestParam },
    responses: { [HTTP.accepted]: jsonAnswer(backtestSchema, 'Asked to stop') },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const { id } = c.req.valid('param');
    const row = await backtestFor(parts, c.var.caller, id);
    if (!isOver(row) && !(await parts.orchestrator.cancelBacktest(id))) {
      const message = 'cancelled before it began';
      await endBacktest(parts.db, id, { status: 'cancelled', message });
    }
    return c.json(backtestView(await backtestOrThrow(parts.db, id)), HTTP.accepted);
  });
}
