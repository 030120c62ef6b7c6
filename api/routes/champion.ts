import { createRoute, z } from '@hono/zod-openapi';
import {
  championAt,
  championHistory,
  modelGeneration,
  type Champion,
} from '../../registry/champions.ts';
import { foundation } from '../../registry/earlier-champions.ts';
import type { Db } from '../../registry/in-transaction.ts';
import {
  compareVersions,
  getModelOrThrow,
  getVersion,
  getVersionOrThrow,
} from '../../registry/models.ts';
import { latestPromotion } from '../../registry/promotions.ts';
import { ApiError, HTTP, notFound } from '../errors.ts';
import { once, orderPromotion } from '../lifecycle-orders.ts';
import type { ApiParts } from '../parts.ts';
import {
  idempotencyHeader,
  instant,
  iso,
  jsonAnswer,
  jsonRequest,
  modelParam,
  reasonText,
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

const expectedGeneration = z
  .int()
  .min(0)
  .max(2_147_483_647)
  .optional()
  .describe('Refuse when the champion changed since it was looked at.');
const promoteSchema = z
  .strictObject({
    version: versionNumber.optional(),
    bestBy: metricName.optional().describe('Take the version that is best by this metric.'),
    reason: reasonText.default('asked for by hand'),
    expectedGeneration,
  })
  .refine(
    (body) => (body.version === undefined) !== (body.bestBy === undefined),
    'name either a version or bestBy',
  )
  .openapi('Promote');
const rollbackSchema = z
  .strictObject({
    version: versionNumber
      .optional()
      .describe(
        'Any earlier registered version; default: the one that served before, if it was not rolled back from.',
      ),
    reason: reasonText,
    expectedGeneration,
  })
  .openapi('Rollback');
const acceptedSchema = z
  .object({
    promotionId: z.string(),
    model: z.string(),
    version: z.int(),
    expectedGeneration: z.int(),
    workflowId: z.string(),
  })
  .openapi('PromotionAccepted');

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

  promotionRoutes(app, parts);
}

function promotionRoutes(app: App, parts: ApiParts): void {
  const { auth, db } = parts;
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
    const { name: model } = c.req.valid('param');
    const body = c.req.valid('json');
    await getModelOrThrow(db, model);
    const key = c.req.valid('header')['idempotency-key'];
    const ask = { model, key, route: `POST promote ${model}`, body, variables: c.var };
    const accepted = await once(parts, ask, async (trx) => {
      const version = body.version ?? (await bestVersion(parts, model, body.bestBy ?? ''));
      await getVersionOrThrow(trx, model, version);
      return orderPromotion(parts, trx, ask, { ...body, kind: 'promote', version });
    });
    return c.json(accepted, HTTP.accepted);
  });

  const rollback = createRoute({
    method: 'post',
    path: '/api/v1/ml-models/{name}/rollback',
    tags: ['champion'],
    summary: 'Let an earlier version serve again',
    description:
      'A promotion of an earlier version, with the same guarantees: every live replica proves its package, ' +
      'then one transaction. A trial that runs ends: it was against another champion.',
    request: {
      params: modelParam,
      headers: idempotencyHeader,
      body: jsonRequest(rollbackSchema),
    },
    responses: { [HTTP.accepted]: jsonAnswer(acceptedSchema, 'Started') },
  });
  app.openapi(secured(auth, rollback, { problems: ['conflict'] }), async (c) => {
    const { name: model } = c.req.valid('param');
    const body = c.req.valid('json');
    await getModelOrThrow(db, model);
    const key = c.req.valid('header')['idempotency-key'];
    const ask = { model, key, route: `POST rollback ${model}`, body, variables: c.var };
    const accepted = await once(parts, ask, async (trx) => {
      const version = await earlierVersion(trx, model, body.version);
      return orderPromotion(parts, trx, ask, { ...body, kind: 'rollback', version });
    });
    return c.json(accepted, HTTP.accepted);
  });
}

/** Champions that a rollback looks back at; further back a version has to be named. */
const LOOK_BACK = 100;

/**
 * The named version, if it is an earlier one; else the newest former champion that the current one stands on and that
 * still can serve: what was rolled back from is not come back to by going back once more.
 */
async function earlierVersion(db: Db, model: string, named: number | undefined): Promise<number> {
  const history = await championHistory(db, model, LOOK_BACK);
  const current = history.find((row) => row.valid_to === null);
  if (!current) {
    throw refused('rollback.no-champion', `${model} has no champion to go back from; promote one.`);
  }
  const former = history.filter((row) => row.version !== current.version);
  if (named === undefined) {
    for (const { version } of foundation(history)) {
      if (await getVersion(db, model, version)) return version;
    }
    const left = former.length > 0 ? ' that was not left for an earlier one since' : '';
    throw refused(
      'rollback.none',
      `No version of ${model} served before version ${current.version}${left}; name one with \`version\`.`,
    );
  }
  await getVersionOrThrow(db, model, named);
  // The champion itself is refused like any promotion of it.
  const earlier = named <= current.version || former.some(({ version }) => version === named);
  if (earlier) return named;
  throw refused(
    'rollback.not-earlier',
    `Version ${named} is newer than the champion, version ${current.version}, and never served: promote it.`,
  );
}

const refused = (code: string, message: string): ApiError =>
  new ApiError('conflict', code, message);

async function bestVersion(parts: ApiParts, model: string, metric: string): Promise<number> {
  const [best] = await compareVersions(parts.db, model, metric, directionOf(metric));
  if (best?.value == null) throw await unknownMetric(parts, model, metric);
  return best.version;
}
