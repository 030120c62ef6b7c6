import { z } from '@hono/zod-openapi';
import {
  getExperiment,
  isTerminal,
  readEvents,
  type ExperimentEvent,
} from '../../registry/experiments.ts';
import type { EventSource } from '../event-stream.ts';
import { eventsRoute } from '../events-route.ts';
import type { ApiParts } from '../parts.ts';
import type { App } from '../secure.ts';
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

/** Progress of an experiment. */
export function experimentEventRoutes(app: App, parts: ApiParts): void {
  eventsRoute(app, parts, {
    path: '/api/v1/experiments/{id}',
    params: experimentParam,
    tag: 'experiments',
    summary: 'Progress of an experiment, as a stream or a page',
    event: eventSchema,
    sourceFor: async (caller, id) => {
      await experimentFor(parts, caller, id);
      return sourceOf(parts, id);
    },
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
