import { createRoute, z } from '@hono/zod-openapi';
import { rowsToDecide } from '../../core/lifecycle/explain.ts';
import type { TrialProgress } from '../../core/policies/trial.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import { listTrials, trialById, type Trial } from '../../registry/trials.ts';
import { HTTP, notFound } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { iso, jsonAnswer, limitQuery, modelName, modelParam } from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const armSchema = z.object({
  requests: z.int(),
  errors: z.int(),
  abstained: z.int(),
  p95Ms: z.number().nullable(),
});
const progressSchema = z
  .object({
    rows: z.int().describe('Settled decision times of both arms.'),
    independent: z.number().describe('Rows / longest horizon.'),
    blocks: z.int(),
    blockRows: z.int(),
    test: z.enum(['confidence-sequence', 'e-value']),
    status: z.string(),
    meanDifference: z
      .number()
      .nullable()
      .describe(
        "Mean of the champion's loss - the challenger's; above 0: the challenger is better.",
      ),
    relativeDifference: z.number().nullable(),
    lower: z.number().nullable(),
    upper: z.number().nullable(),
    wealth: z.number().nullable(),
    alpha: z.number(),
    elapsed: z.number().describe('Sessions of market time since it began.'),
    maxDays: z.number(),
    arms: z.object({ champion: armSchema, challenger: armSchema }).describe('What guards look at.'),
  })
  .openapi('TrialProgress');

const expectedSchema = z
  .object({
    rows: z.int().nullable().describe('Settled rows to go; null: not at the present difference.'),
    sessions: z
      .int()
      .nullable()
      .describe('The same in sessions of market time, at the pace so far.'),
    words: z.string(),
  })
  .openapi('ExpectedDecision');

export const trialSchema = z
  .object({
    id: z.string(),
    model: z.string(),
    version: z.int(),
    championVersion: z.int().nullable(),
    kind: z.enum(['shadow', 'canary', 'manual']),
    policy: z.string(),
    mode: z
      .enum(['prove', 'guard'])
      .describe(
        'prove: only its own rows can promote; guard: proved offline, it can only stop it.',
      ),
    status: z.enum(['running', 'promoted', 'rejected', 'undecided', 'aborted', 'superseded']),
    share: z.number().describe('Of the traffic that the challenger answers; 0 outside a canary.'),
    startedAsOf: z.string().describe('Market time.'),
    lastAsOf: z.string().describe('Market time.'),
    startedAt: z.string(),
    finishedAt: z.string().nullable(),
    reasons: z.array(z.string()),
    progress: progressSchema.nullable().describe('Of its last look; null: none yet.'),
    expected: expectedSchema.nullable().describe('When it may decide; null: it has ended.'),
    judgement: z
      .object({ decision: z.enum(['approve', 'reject']), actor: z.string(), reason: z.string() })
      .nullable()
      .describe('What a person decided.'),
    experimentId: z.string(),
    gateDecisionId: z.string(),
    endDecisionId: z.string().nullable(),
  })
  .openapi('Trial');

const detailSchema = trialSchema
  .extend({ settings: z.record(z.string(), z.unknown()).describe('`promotion` of its spec.') })
  .openapi('TrialDetail');

export function trialView(row: Trial): z.infer<typeof trialSchema> {
  const progress = row.progress as TrialProgress | null;
  return {
    id: row.id,
    model: row.model,
    version: row.version,
    championVersion: row.champion_version,
    kind: row.kind,
    policy: row.policy,
    mode: row.mode,
    status: row.status,
    share: row.share,
    startedAsOf: row.started_as_of.toISOString(),
    lastAsOf: row.last_as_of.toISOString(),
    startedAt: row.started_at.toISOString(),
    finishedAt: iso(row.finished_at),
    reasons: [...row.reasons],
    progress: progress,
    expected: row.status === 'running' ? expectedDecision(row.kind, progress) : null,
    judgement: row.judgement,
    experimentId: row.experiment_id,
    gateDecisionId: row.gate_decision_id,
    endDecisionId: row.end_decision_id,
  };
}

/** How long a running trial may still take, at the present difference and pace; an extrapolation, no promise. */
export function expectedDecision(
  kind: Trial['kind'],
  progress: TrialProgress | null,
): z.infer<typeof expectedSchema> {
  if (kind === 'manual') {
    return { rows: null, sessions: null, words: 'It waits for `approve` or `reject`.' };
  }
  if (!progress || progress.rows === 0) {
    return { rows: null, sessions: null, words: 'No prediction of it is settled yet.' };
  }
  const left = Math.max(0, progress.maxDays - progress.elapsed);
  const end = `at most ${sessions(left)} are left`;
  const rows = rowsToDecide(progress);
  if (rows === null) {
    return {
      rows,
      sessions: null,
      words: `At the present difference it would not decide; ${end}.`,
    };
  }
  const perSession = progress.rows / Math.max(1, progress.elapsed);
  const needed = Math.ceil(rows / perSession);
  const verdict = needed > left ? 'it would end undecided' : 'it would decide';
  return {
    rows,
    sessions: needed,
    words: `At the present difference ${verdict}: about ${rows} more settled rows, ${sessions(needed)}, are needed; ${end}.`,
  };
}

const sessions = (n: number): string => (n === 1 ? '1 session' : `${n} sessions`);

/** Trials of challengers: what they prove, and how far they are. */
export function trialRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const list = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/trials',
    tags: ['lifecycle'],
    summary: 'Trials of a model, newest first',
    request: { params: modelParam, query: z.object({ limit: limitQuery }) },
    responses: { [HTTP.ok]: jsonAnswer(z.object({ items: z.array(trialSchema) }), 'The trials') },
  });
  app.openapi(secured(auth, list), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(db, name);
    const rows = await listTrials(db, name, c.req.valid('query').limit);
    return c.json({ items: rows.map(trialView) }, HTTP.ok);
  });

  const read = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/trials/{id}',
    tags: ['lifecycle'],
    summary: 'One trial: progress, bounds, guards, expected time to its decision',
    request: { params: z.object({ name: modelName, id: z.string() }) },
    responses: { [HTTP.ok]: jsonAnswer(detailSchema, 'The trial') },
  });
  app.openapi(secured(auth, read), async (c) => {
    const { name, id } = c.req.valid('param');
    await getModelOrThrow(db, name);
    const row = TRIAL_ID.test(id) ? await trialById(db, id) : undefined;
    // A trial of another model is none of this one's, whoever asks.
    if (row?.model !== name) {
      throw notFound('trial.not-found', `${name} has no trial ${id.slice(0, MAX_SHOWN_ID)}.`);
    }
    const settings = row.settings as Record<string, unknown>;
    return c.json({ ...trialView(row), settings }, HTTP.ok);
  });
}

const MAX_SHOWN_ID = 64;
/** What is no id of ours is not the database's to read. */
const TRIAL_ID = /^[\w/.-]{1,128}$/;
