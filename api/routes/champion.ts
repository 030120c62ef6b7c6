import { setTimeout as sleep } from 'node:timers/promises';
import { createRoute, z } from '@hono/zod-openapi';
import { ulid } from 'ulid';
import { recordAudit } from '../../registry/audit.ts';
import {
  championAt,
  championHistory,
  modelGeneration,
  type Champion,
} from '../../registry/champions.ts';
import { claimIdempotencyKey, storeIdempotentResponse } from '../../registry/idempotency.ts';
import { inTransaction, type Trx } from '../../registry/in-transaction.ts';
import { compareVersions, getModelOrThrow, getVersionOrThrow } from '../../registry/models.ts';
import { latestPromotion } from '../../registry/promotions.ts';
import { workflowIds } from '../../workflows/messages.ts';
import type { AuthVariables } from '../auth.ts';
import { ApiError, HTTP, notFound } from '../errors.ts';
import { digestOf, keyReused } from '../experiment-start.ts';
import type { ApiParts } from '../parts.ts';
import {
  idempotencyHeader,
  instant,
  iso,
  jsonAnswer,
  jsonRequest,
  modelParam,
  versionNumber,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { directionOf, metricName, unknownMetric } from './versions.ts';

const championSchema = z
  .object({
    version: z.int(),
    generation: z.int(),
    validFrom: z.string(),
    validTo: z.string().nullable(),
    promotionId: z.string(),
    actor: z.string(),
    reason: z.string(),
  })
  .openapi('Champion');
const view = (row: Champion): z.infer<typeof championSchema> => ({
  version: row.version,
  generation: row.generation,
  validFrom: row.valid_from.toISOString(),
  validTo: iso(row.valid_to),
  promotionId: row.promotion_id,
  actor: row.actor,
  reason: row.reason,
});

const stateSchema = z
  .object({
    model: z.string(),
    generation: z.int(),
    champion: championSchema.nullable(),
    history: z.array(championSchema).describe('Newest first.'),
    lastPromotion: z
      .object({
        id: z.string(),
        version: z.int(),
        status: z.enum(['announced', 'promoted', 'withdrawn', 'conflict']),
        outcome: z.string().nullable(),
      })
      .nullable(),
  })
  .openapi('ChampionState');

/** Rows of history in one answer. */
const HISTORY = 20;

const promoteSchema = z
  .strictObject({
    version: versionNumber.optional(),
    bestBy: metricName.optional().describe('Take the version that is best by this metric.'),
    reason: z.string().trim().min(1).max(500).default('asked for by hand'),
    expectedGeneration: z
      .int()
      .min(0)
      .max(2_147_483_647)
      .optional()
      .describe('Refuse when the champion changed since it was looked at.'),
  })
  .refine(
    (body) => (body.version === undefined) !== (body.bestBy === undefined),
    'name either a version or bestBy',
  )
  .openapi('Promote');
const acceptedSchema = z
  .object({
    promotionId: z.string(),
    model: z.string(),
    version: z.int(),
    expectedGeneration: z.int(),
    workflowId: z.string(),
  })
  .openapi('PromotionAccepted');
type Accepted = z.infer<typeof acceptedSchema>;

/** Who serves, who served, and making another one serve. */
export function championRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
  const read = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/champion',
    tags: ['champion'],
    summary: 'The champion now, or at a time',
    request: { params: modelParam, query: z.object({ at: instant.optional() }) },
    responses: { [HTTP.ok]: jsonAnswer(stateSchema, 'Champion, history, newest promotion') },
  });
  app.openapi(secured(auth, read), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(db, name);
    const { at } = c.req.valid('query');
    const [generation, history, last] = await Promise.all([
      modelGeneration(db, name),
      championHistory(db, name, HISTORY),
      latestPromotion(db, name),
    ]);
    const then = at === undefined ? undefined : await championAt(db, name, new Date(at));
    if (at !== undefined && !then) {
      throw notFound('champion.none', `${name} had no champion at ${at}.`);
    }
    const current = history.find((row) => row.valid_to === null);
    const shown = at === undefined ? current : then;
    return c.json(
      {
        model: name,
        generation,
        champion: shown ? view(shown) : null,
        history: history.map(view),
        lastPromotion: last
          ? { id: last.id, version: last.version, status: last.status, outcome: last.outcome }
          : null,
      },
      HTTP.ok,
    );
  });

  const promote = createRoute({
    method: 'post',
    path: '/api/v1/ml-models/{name}/promote',
    tags: ['champion'],
    summary: 'Make a version the champion',
    description:
      'Answers at once; `GET champion` shows what became of it. One promotion at a time per model.',
    request: {
      params: modelParam,
      headers: idempotencyHeader,
      body: jsonRequest(promoteSchema),
    },
    responses: { [HTTP.accepted]: jsonAnswer(acceptedSchema, 'Started') },
  });
  app.openapi(secured(auth, promote, { problems: ['conflict'] }), async (c) => {
    const { name } = c.req.valid('param');
    const body = c.req.valid('json');
    await getModelOrThrow(db, name);
    const key = c.req.valid('header')['idempotency-key'];
    const accepted = await inTransaction(db, (trx) =>
      once(trx, { key, route: `POST promote ${name}`, body }, () =>
        startPromotion(parts, trx, name, body, c.var),
      ),
    );
    return c.json(accepted, HTTP.accepted);
  });
}

async function once(
  trx: Trx,
  request: { readonly key: string | undefined; readonly route: string; readonly body: unknown },
  work: () => Promise<Accepted>,
): Promise<Accepted> {
  if (request.key === undefined) return work();
  const claim = { key: request.key, route: request.route, bodySha256: digestOf(request.body) };
  const claimed = await claimIdempotencyKey(trx, claim);
  if (claimed.kind === 'mismatch') throw keyReused();
  if (claimed.kind === 'repeat') return claimed.response as Accepted;
  const accepted = await work();
  await storeIdempotentResponse(trx, claim, accepted);
  return accepted;
}

/** A promotion is decided some moments before its workflow ends: a next one waits for that. */
const ENDING_TRIES = 10;
const ENDING_MS = 100;

/** The audit row commits only when the workflow has started. */
async function startPromotion(
  parts: ApiParts,
  trx: Trx,
  model: string,
  body: z.infer<typeof promoteSchema>,
  { caller, requestId }: Readonly<AuthVariables>,
): Promise<Accepted> {
  const version = body.version ?? (await bestVersion(parts, model, body.bestBy ?? ''));
  await getVersionOrThrow(trx, model, version);
  const generation = await modelGeneration(trx, model);
  const expectedGeneration = body.expectedGeneration ?? generation;
  if (expectedGeneration !== generation) {
    throw conflict(`The model is at generation ${generation}, not ${expectedGeneration}.`);
  }
  const [current] = await championHistory(trx, model, 1);
  if (current?.valid_to === null && current.version === version) {
    throw conflict(`Version ${version} is the champion already.`);
  }
  const accepted: Accepted = {
    promotionId: ulid(),
    model,
    version,
    expectedGeneration,
    workflowId: workflowIds.promote(model),
  };
  await recordAudit(trx, {
    actor: caller.keyId,
    action: 'promotion.request',
    object: `version/${model}/${version}`,
    after: { promotionId: accepted.promotionId, reason: body.reason },
    requestId,
    workflowId: accepted.workflowId,
  });
  const { promotionId } = accepted;
  const { reason } = body;
  const actor = caller.keyId;
  const input = { promotionId, model, version, actor, reason, expectedGeneration };
  for (let left = ENDING_TRIES; !(await parts.orchestrator.startPromotion(input)); left--) {
    const open = (await latestPromotion(trx, model))?.status === 'announced';
    const changed = (await modelGeneration(trx, model)) !== expectedGeneration;
    if (open || changed || left === 0) {
      throw conflict(`A promotion of ${model} is under way; look again when it has ended.`);
    }
    await sleep(ENDING_MS);
  }
  return accepted;
}

async function bestVersion(parts: ApiParts, model: string, metric: string): Promise<number> {
  const [best] = await compareVersions(parts.db, model, metric, directionOf(metric));
  if (best?.value == null) throw await unknownMetric(parts, model, metric);
  return best.version;
}

const conflict = (message: string): ApiError =>
  new ApiError('conflict', 'promotion.conflict', message);
