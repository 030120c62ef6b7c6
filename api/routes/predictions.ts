import { createRoute, z } from '@hono/zod-openapi';
import { getModelOrThrow } from '../../registry/models.ts';
import { outcomesOfPredictions, type PredictionOutcome } from '../../registry/outcomes.ts';
import { listPredictions, type Prediction } from '../../registry/predictions.ts';
import { HTTP } from '../errors.ts';
import { cursorOf, nextCursor, pageAnswer } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import {
  instant,
  instrumentId,
  limitQuery,
  modelParam,
  predictionRole,
  timeCursor,
  ulidSchema,
  versionNumber,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const outcomeSchema = z
  .object({
    horizon: z.int(),
    targetTime: z.string().describe('When the bar opens that the forecast was for.'),
    lastClose: z
      .number()
      .describe('As of that bar: splits and dividends in between are taken out.'),
    actualClose: z.number(),
    actualChange: z.number().describe('Fraction: 0.01 = 1 %.'),
    error: z.number().describe('Label units: forecast - actual.'),
    actualDirection: z.enum(['up', 'down', 'neutral']),
    directionHit: z.boolean(),
    covered: z.boolean().nullable().describe('By interval80.'),
    signalReturn: z.number().describe('After costs; see GET performance.'),
    knownAt: z.string(),
    revision: z.int().describe('How often a revised bar changed it.'),
  })
  .openapi('Outcome');

const recordedSchema = z
  .object({
    id: z.string(),
    at: z.string(),
    batchId: z.string(),
    model: z.string(),
    version: z.int(),
    generation: z.int(),
    instrument: z.string(),
    asOf: z.string(),
    requestId: z.string(),
    durationMs: z.number(),
    role: predictionRole.describe(
      '`champion` and `canary` (the challenger of a trial) were answered; `shadow` was computed beside an ' +
        'answer and given to nobody; `pinned` was answered by a version that the caller named.',
    ),
    input: z.enum(['instrument', 'bars', 'window']),
    pairId: z.string().nullable().describe('The answered prediction it was computed beside.'),
    trialId: z.string().nullable(),
    error: z
      .string()
      .nullable()
      .describe('Why the version could not answer; `answer` is then empty.'),
    answer: z.record(z.string(), z.unknown()),
    outcomes: z.array(outcomeSchema).describe('Of the horizons that are settled.'),
  })
  .openapi('RecordedPrediction');

const outcomeView = (row: PredictionOutcome): z.infer<typeof outcomeSchema> => ({
  horizon: row.horizon,
  targetTime: row.target_time.toISOString(),
  lastClose: row.last_close,
  actualClose: row.actual_close,
  actualChange: row.actual_change,
  error: row.error,
  actualDirection: row.actual_direction,
  directionHit: row.direction_hit,
  covered: row.covered,
  signalReturn: row.signal_return,
  knownAt: row.known_at.toISOString(),
  revision: row.revision,
});

const view = (
  row: Prediction,
  outcomes: readonly PredictionOutcome[] = [],
): z.infer<typeof recordedSchema> => ({
  id: row.id,
  at: row.at.toISOString(),
  batchId: row.batch_id,
  model: row.model,
  version: row.version,
  generation: row.generation,
  instrument: row.instrument,
  asOf: row.as_of.toISOString(),
  requestId: row.request_id,
  durationMs: row.duration_ms,
  role: row.role,
  input: row.input,
  pairId: row.pair_id,
  trialId: row.trial_id,
  error: row.error,
  answer: row.answer as Record<string, unknown>,
  outcomes: outcomes.map(outcomeView),
});

const timeOf = (text: string | undefined): Date | undefined =>
  text === undefined ? undefined : new Date(text);

/** Recorded predictions, for people and for those who judge them. */
export function predictionListRoute(app: App, parts: ApiParts): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/predictions',
    tags: ['predict'],
    summary: 'Recorded predictions, newest first',
    request: {
      params: modelParam,
      query: z.object({
        limit: limitQuery,
        instrument: instrumentId.optional(),
        version: z.coerce.number().pipe(versionNumber).optional(),
        role: predictionRole
          .optional()
          .describe('Default: all that were answered. `shadow`, `canary`: failures too.'),
        from: instant
          .optional()
          .describe(
            'Answered from this time on, by the wall clock (`GET performance` counts market time).',
          ),
        to: instant.optional().describe('Answered before this time, by the wall clock.'),
        asOfFrom: instant.optional().describe('Made as of this market time, or a later one.'),
        asOfTo: instant.optional().describe('Made as of a time before this market time.'),
        cursor: cursorOf(timeCursor(ulidSchema)),
      }),
    },
    responses: {
      [HTTP.ok]: pageAnswer(recordedSchema),
    },
  });
  app.openapi(secured(parts.auth, list), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(parts.db, name);
    const { limit, instrument, version, role, cursor, ...times } = c.req.valid('query');
    const rows = await listPredictions(parts.db, {
      model: name,
      instrument,
      version,
      role,
      limit,
      from: timeOf(times.from),
      to: timeOf(times.to),
      asOfFrom: timeOf(times.asOfFrom),
      asOfTo: timeOf(times.asOfTo),
      before: cursor && { at: cursor.at, id: cursor.rest },
    });
    const next = nextCursor(rows, limit, ({ at, id }) => `${at.toISOString()}_${id}`);
    const outcomes = await outcomesOfPredictions(
      parts.db,
      rows.map(({ id }) => id),
    );
    const items = rows.map((row) => view(row, outcomes.get(row.id)));
    return c.json({ items, nextCursor: next }, HTTP.ok);
  });
}
