import { createRoute, z } from '@hono/zod-openapi';
import { bestOf, deflatedLoss } from '../../core/search/best.ts';
import {
  endedOf,
  searchesOf,
  trialsOf,
  type Search,
  type SearchTrial,
} from '../../registry/searches.ts';
import { HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { iso, jsonAnswer, MAX_PAGE, modelName } from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { experimentFor, experimentParam } from './experiments.ts';

const trialSchema = z
  .object({
    trial: z.int().openapi({ description: 'From 0, in the order in which they were chosen' }),
    state: z.enum(['running', 'completed', 'pruned', 'failed', 'cancelled']),
    hyperparameters: z
      .record(z.string(), z.unknown())
      .openapi({ description: 'Those that are searched, by dotted name' }),
    losses: z.array(z.number()).openapi({ description: 'Validation loss by finished rung' }),
    validLoss: z.number().nullable().openapi({ description: 'The last of them' }),
    epochsRun: z.int().nullable(),
    bestEpoch: z.int().nullable(),
    error: z.string().nullable(),
    startedAt: z.string(),
    finishedAt: z.string().nullable(),
  })
  .openapi('SearchTrial');

const searchSchema = z
  .object({
    model: z.string(),
    family: z.string(),
    search: z.string(),
    pruner: z.string(),
    seed: z.int(),
    state: z.enum(['running', 'completed', 'failed', 'cancelled']),
    stoppedBy: z
      .enum(['trials', 'exhausted', 'minutes'])
      .nullable()
      .openapi({ description: 'Why no further trial began' }),
    message: z.string().nullable(),
    trials: z.int().openapi({ description: 'At most' }),
    parallel: z.int(),
    budgetMinutes: z.number().nullable(),
    space: z.array(z.record(z.string(), z.unknown())),
    rungs: z.array(z.int()).openapi({ description: 'Training budgets; empty: none is cut' }),
    counts: z.record(z.string(), z.int()).openapi({ description: 'Trials by state' }),
    best: z
      .object({
        trial: z.int(),
        validLoss: z.number(),
        deflatedValidLoss: z
          .number()
          .openapi({ description: 'Without the luck of being the best of so many trials' }),
      })
      .nullable(),
    startedAt: z.string(),
    finishedAt: z.string().nullable(),
    items: z.array(trialSchema),
  })
  .openapi('Search');

/** The searches of hyperparameters that an experiment ran or runs. */
export function searchRoutes(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: '/api/v1/experiments/{id}/search',
    tags: ['experiments'],
    summary: 'Its searches of hyperparameters, trial by trial',
    description: 'One for each of its models; none where the spec has no `tune`.',
    request: {
      params: experimentParam,
      query: z.object({
        model: modelName.optional(),
        limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(MAX_PAGE).openapi({
          description: 'Newest trials of each search; counts and best are of all',
        }),
      }),
    },
    responses: { [HTTP.ok]: jsonAnswer(z.object({ items: z.array(searchSchema) }), 'All of them') },
  });
  app.openapi(secured(parts.auth, route), async (c) => {
    const experiment = await experimentFor(parts, c.var.caller, c.req.valid('param').id);
    const { model, limit } = c.req.valid('query');
    const searches = (await searchesOf(parts.db, experiment.id)).filter(
      (search) => model === undefined || search.model === model,
    );
    const items: z.infer<typeof searchSchema>[] = [];
    for (const search of searches) {
      const trials = await trialsOf(parts.db, { experimentId: experiment.id, model: search.model });
      items.push(viewOf(search, trials, limit));
    }
    return c.json({ items }, HTTP.ok);
  });
}

function viewOf(
  search: Search,
  trials: readonly SearchTrial[],
  limit: number,
): z.infer<typeof searchSchema> {
  const counts: Record<string, number> = {};
  for (const { state } of trials) counts[state] = (counts[state] ?? 0) + 1;
  return {
    model: search.model,
    family: search.family,
    search: search.method,
    pruner: search.pruner,
    seed: Number(search.seed),
    state: search.state,
    stoppedBy: search.stopped_by,
    message: search.message,
    trials: search.trials,
    parallel: search.parallel,
    budgetMinutes: search.budget_minutes,
    space: search.space.map((dimension) => ({ ...dimension })),
    rungs: [...search.rungs],
    counts,
    best: bestView(trials),
    startedAt: search.started_at.toISOString(),
    finishedAt: iso(search.finished_at),
    items: trials.slice(-limit).map((trial) => trialView(search, trial)),
  };
}

function bestView(trials: readonly SearchTrial[]): z.infer<typeof searchSchema>['best'] {
  const best = bestOf(trials.map(endedOf));
  if (best === undefined) return null;
  const losses = trials.flatMap(({ state, valid_loss: loss }) =>
    state === 'completed' && loss !== null ? [loss] : [],
  );
  const tried = trials.filter(({ state }) => state !== 'running').length;
  return {
    trial: best.trial,
    validLoss: best.loss,
    deflatedValidLoss: deflatedLoss(losses, tried),
  };
}

const trialView = ({ space }: Search, row: SearchTrial): z.infer<typeof trialSchema> => ({
  trial: row.trial,
  state: row.state,
  // The database keeps an object's keys in an order of its own.
  hyperparameters: Object.fromEntries(space.map(({ path }) => [path, row.point[path]])),
  losses: [...row.losses],
  validLoss: row.valid_loss,
  epochsRun: row.epochs_run,
  bestEpoch: row.best_epoch,
  error: row.error,
  startedAt: row.started_at.toISOString(),
  finishedAt: iso(row.finished_at),
});
