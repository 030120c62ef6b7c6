import { createRoute, z } from '@hono/zod-openapi';
import {
  backtestOrThrow,
  endBacktest,
  readBacktestEvents,
  type BacktestEvent,
} from '../../registry/backtests.ts';
import { HTTP } from '../errors.ts';
import { eventsRoute } from '../events-route.ts';
import type { ApiParts } from '../parts.ts';
import { cancelRecorded, isOver } from '../recorded-end.ts';
import { jsonAnswer } from '../schemas.ts';
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
    kind: z.enum(['plan', 'fold', 'answers', 'advice', 'result', 'done']),
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

function eventRoute(app: App, parts: ApiParts): void {
  const { db } = parts;
  eventsRoute(app, parts, {
    path: `${BACKTESTS}/{id}`,
    params: backtestParam,
    tag: 'backtests',
    summary: 'Progress of a backtest, as a stream or a page',
    event: eventSchema,
    sourceFor: async (caller, id) => {
      await backtestFor(parts, caller, id);
      return {
        ended: async () => isOver(await backtestOrThrow(db, id)),
        read: (after, limit) => readBacktestEvents(db, id, { after, limit }),
        view: eventView,
      };
    },
  });
}

function cancelRoute(app: App, parts: ApiParts): void {
  const { db, orchestrator } = parts;
  const route = createRoute({
    method: 'post',
    path: `${BACKTESTS}/{id}/cancel`,
    tags: ['backtests'],
    summary: 'Stop a backtest, and what it trains',
    request: { params: backtestParam },
    responses: { [HTTP.accepted]: jsonAnswer(backtestSchema, 'Asked to stop') },
  });
  app.openapi(secured(parts.auth, route, { problems: ['conflict'] }), async (c) => {
    const { id } = c.req.valid('param');
    const row = await backtestFor(parts, c.var.caller, id);
    await cancelRecorded(
      'backtest',
      row,
      (one) => orchestrator.cancelBacktest(one),
      (end) => endBacktest(db, id, end),
    );
    return c.json(backtestView(await backtestOrThrow(db, id)), HTTP.accepted);
  });
}
