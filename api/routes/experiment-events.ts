import { createRoute, z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import {
  getExperiment,
  isTerminal,
  readEvents,
  type ExperimentEvent,
} from '../../registry/experiments.ts';
import { HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { jsonAnswer, sequenceText } from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { experimentFor, experimentParam } from './experiments.ts';

const eventSchema = z
  .object({
    seq: z.string(),
    at: z.string(),
    kind: z.enum(['stage', 'epoch', 'finding', 'verdict', 'note', 'done']),
    stage: z.string().nullable(),
    model: z.string().nullable(),
    seed: z.number().nullable(),
    payload: z.record(z.string(), z.unknown()),
  })
  .openapi('ExperimentEvent');

const view = (row: ExperimentEvent): z.infer<typeof eventSchema> => ({
  seq: row.seq,
  at: row.at.toISOString(),
  kind: row.kind as z.infer<typeof eventSchema>['kind'],
  stage: row.stage,
  model: row.model,
  seed: row.seed,
  payload: row.payload,
});

/** Rows read at once. */
const PAGE = 500;
/** Events come a few times a second at most; a stream looks for new ones this often. */
const POLL_MS = 500;
/** A comment this often keeps proxies and clients from giving up on a quiet stream. */
const KEEP_ALIVE_MS = 15_000;
/** Streams open at once on one process; each polls the database. */
const MAX_STREAMS = 200;

/**
 * Progress of an experiment. `Accept: text/event-stream` streams it until the experiment has ended and
 * resumes after `Last-Event-ID`; otherwise one page comes as JSON.
 */
export function experimentEventRoutes(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: '/api/v1/experiments/{id}/events',
    tags: ['experiments'],
    summary: 'Progress of an experiment, as a stream or a page',
    request: {
      params: experimentParam,
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
  let streams = 0;
  app.openapi(secured(parts.auth, route), async (c) => {
    const { id } = c.req.valid('param');
    const experiment = await experimentFor(parts, c.var.caller, id);
    const after = c.req.valid('header')['last-event-id'] ?? c.req.valid('query').after ?? '0';
    const wantsStream = c.req.header('accept')?.includes('text/event-stream') ?? false;
    if (!wantsStream || streams >= MAX_STREAMS) {
      const rows = await readEvents(parts.db, id, { afterSeq: after, limit: PAGE });
      const ended = isTerminal(experiment.status) && rows.length < PAGE;
      return c.json({ items: rows.map(view), ended }, HTTP.ok);
    }
    streams++;
    const { requestId } = c.var;
    return streamSSE(c, async (stream) => {
      try {
        await follow(parts, id, after, stream);
      } catch (error) {
        // It ends here; who comes back with `Last-Event-ID` misses nothing.
        parts.log.warn({ err: error, requestId, experiment: id }, 'a stream of events broke off');
      } finally {
        streams--;
      }
    }) as never;
  });
}

interface EventSink {
  readonly aborted: boolean;
  writeSSE(message: { data: string; event: string; id: string }): Promise<void>;
  write(text: string): Promise<unknown>;
  sleep(ms: number): Promise<unknown>;
}

async function follow(
  parts: ApiParts,
  id: string,
  after: string,
  stream: EventSink,
): Promise<void> {
  let last = after;
  let quietMs = 0;
  while (!stream.aborted && !parts.stopping.aborted) {
    // The status is read before the rows: what ended it is then among them.
    const experiment = await getExperiment(parts.db, id);
    const rows = await readEvents(parts.db, id, { afterSeq: last, limit: PAGE });
    for (const row of rows) {
      await stream.writeSSE({ data: JSON.stringify(view(row)), event: row.kind, id: row.seq });
      last = row.seq;
    }
    if (rows.length === PAGE) continue;
    if (!experiment || isTerminal(experiment.status)) return;
    quietMs = rows.length > 0 ? 0 : quietMs + POLL_MS;
    if (quietMs >= KEEP_ALIVE_MS) {
      await stream.write(': still here\n\n');
      quietMs = 0;
    }
    await stream.sleep(POLL_MS);
  }
}
