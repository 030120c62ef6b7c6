import { createRoute, z } from '@hono/zod-openapi';
import { PARITY_CAUSES } from '../../core/predict/index.ts';
import { currentChampion } from '../../registry/champions.ts';
import { listDriftReports } from '../../registry/drift.ts';
import { explanationOf, lifecycleState } from '../../registry/lifecycle-state.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import { parityStandings, type EndedParity } from '../../registry/parity-standing.ts';
import { runningRetrain } from '../../registry/retrains.ts';
import { runningTrial } from '../../registry/trials.ts';
import { HTTP } from '../errors.ts';
import { explanationSentences, LIFECYCLE_STATES, stateOf } from '../explanation.ts';
import type { ApiParts } from '../parts.ts';
import { iso, jsonAnswer, modelParam } from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { servingSchema, servingView } from '../serving-view.ts';
import { trialSchema, trialView } from './trials.ts';

const time = z.string().nullable();
const explanationSchema = z
  .object({
    model: z.string(),
    state: z.enum(LIFECYCLE_STATES),
    sentences: z
      .array(z.string())
      .describe(
        'State, why it is not retrained, when next, what blocks a promotion, and how old this is.',
      ),
    asOf: time.describe('Market time of the last look; null: there was none.'),
    writtenAt: time,
    ageS: z.number().nullable().describe('Seconds since the last look.'),
    champion: servingSchema.nullable(),
    frozen: z.object({ reason: z.string() }).nullable(),
    cooldownUntil: time.describe('Market time.'),
    lastRetrainAsOf: time.describe('Market time.'),
    settledAsOf: time.describe('Market time through which everything known is settled.'),
    trial: trialSchema.nullable(),
    retrain: z
      .object({
        experimentId: z.string(),
        asOf: z.string(),
        reasons: z.array(z.string()),
        startedAt: z.string(),
      })
      .nullable(),
    drift: z
      .object({
        reportId: z.string(),
        asOf: z.string(),
        verdict: z.enum(['none', 'warn', 'drift', 'notCalibrated']),
        signals: z.array(z.string()),
        words: z.array(z.string()),
        considered: z
          .enum(['retrain', 'wait'])
          .nullable()
          .describe('What the lifecycle made of its signals; null: nothing yet.'),
      })
      .nullable()
      .describe('The newest report.'),
    parity: z
      .object({
        reportId: z.string(),
        finishedAt: z.string(),
        status: z.enum(['completed', 'failed']),
        replayed: z.int(),
        different: z.int(),
        byCause: z.partialRecord(z.enum(PARITY_CAUSES), z.int()),
      })
      .nullable()
      .describe(
        'What was served, computed again: the report that found differences, else the newest of a night.',
      ),
    details: z.record(z.string(), z.unknown()).describe('Facts of the last look.'),
  })
  .openapi('Explanation');

/** Why a model is as it is. Reads rows only: it works with every worker and Temporal down. */
export function explainRoutes(app: App, parts: ApiParts): void {
  const explain = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/explain',
    tags: ['lifecycle'],
    summary: 'Why a model is as it is, in words',
    request: { params: modelParam },
    responses: { [HTTP.ok]: jsonAnswer(explanationSchema, 'Its lifecycle, from the rows') },
  });
  app.openapi(secured(parts.auth, explain), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(parts.db, name);
    return c.json(await explanation(parts, name), HTTP.ok);
  });
}

async function explanation(
  { db, clock }: ApiParts,
  model: string,
): Promise<z.infer<typeof explanationSchema>> {
  const [champion, state, written, trial, retrain, [drift], parities] = await Promise.all([
    currentChampion(db, model),
    lifecycleState(db, model),
    explanationOf(db, model),
    runningTrial(db, model),
    runningRetrain(db, model),
    listDriftReports(db, { model, limit: 1 }),
    parityStandings(db, model),
  ]);
  const parity = parities.get(model);
  const rows = { state, explanation: written, trial, retrain, drift, parity };
  const now = clock();
  return {
    model,
    state: stateOf(rows),
    sentences: explanationSentences(rows, now),
    asOf: iso(written?.as_of ?? null),
    writtenAt: iso(written?.written_at ?? null),
    ageS: written ? Math.max(0, (now - written.written_at.getTime()) / 1000) : null,
    champion: servingView(champion),
    frozen: state?.frozen === true ? { reason: state.frozen_reason ?? '' } : null,
    cooldownUntil: iso(state?.cooldown_until ?? null),
    lastRetrainAsOf: iso(state?.last_retrain_as_of ?? null),
    settledAsOf: iso(state?.settled_as_of ?? null),
    trial: trial ? trialView(trial) : null,
    retrain: retrain
      ? {
          experimentId: retrain.experiment_id,
          asOf: retrain.as_of.toISOString(),
          reasons: [...retrain.reasons],
          startedAt: retrain.started_at.toISOString(),
        }
      : null,
    drift: drift
      ? {
          reportId: drift.id,
          asOf: drift.as_of.toISOString(),
          verdict: drift.verdict,
          signals: [...drift.signals],
          words: [...drift.words],
          considered: drift.considered,
        }
      : null,
    parity: parityView(parity?.different ?? parity?.night),
    details: written?.details ?? {},
  };
}

const parityView = (
  report: EndedParity | undefined,
): z.infer<typeof explanationSchema>['parity'] => {
  if (!report) return null;
  const { reportId, finishedAt, status, replayed, different, byCause } = report;
  return { reportId, finishedAt: finishedAt.toISOString(), status, replayed, different, byCause };
};
