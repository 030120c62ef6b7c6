import { createRoute, z } from '@hono/zod-openapi';
import {
  getExperiment,
  isTerminal,
  readEvents,
  type ExperimentEvent,
} from '../../registry/experiments.ts';
import { HTTP } from '../errors.ts';
import { eventsAnswer, StreamPlaces, type EventSource } from '../event-stream.ts';
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
  const places = new StreamPlaces();
  app.openapi(secured(parts.auth, route), async (c) => {
    const { id } = c.req.valid('param');
    await experimentFor(parts, c.var.caller, id);
    const after = c.req.valid('header')['last-event-id'] ?? c.req.valid('query').after ?? '0';
    const source = sourceOf(parts, id);
    return (await eventsAnswer(parts, c, places, { source, after })) as never;
  });
}

const sourceOf = ({ db }: ApiParts, id: string): EventSource<ExperimentEvent> => ({
  ended: async () => {
    const experiment = await getExperiment(db, id);
    return !experiment || isTerminal(experiment.status);
  },
  read: (afterSeq, limit) => readEvents(db, id, { afterSeq, limit }),
  view,
});
