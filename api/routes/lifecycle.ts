import { createRoute, z } from '@hono/zod-openapi';
import { currentChampion } from '../../registry/champions.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import { requireTrialOf, runningTrial } from '../../registry/trials.ts';
import { workflowIds } from '../../workflows/messages.ts';
import { ApiError, HTTP } from '../errors.ts';
import { sendOrder, type JudgedTrial } from '../lifecycle-orders.ts';
import type { ApiParts } from '../parts.ts';
import {
  idempotencyHeader,
  instant,
  jsonAnswer,
  jsonRequest,
  modelParam,
  reasonText,
  versionNumber,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const version = versionNumber
  .optional()
  .describe('Refuse when another version is on trial than this one.');
const judgement = z.strictObject({ reason: reasonText.default('asked for by hand'), version });
const judgementWithReason = z.strictObject({ reason: reasonText, version });
const withReason = z.strictObject({ reason: reasonText });
const reasonOptional = z.strictObject({ reason: reasonText.default('asked for by hand') });
const orderSchema = z
  .object({
    requestId: z.string().describe("Names the order in the model's lifecycle."),
    model: z.string(),
    workflowId: z.string(),
    done: z.boolean().describe('Carried out already; else it is under way.'),
    trial: z
      .object({ id: z.string(), version: z.int() })
      .optional()
      .describe('Of `approve` and `reject`: the trial that was decided on, and its version.'),
  })
  .openapi('OrderAccepted');

interface OrderRoute {
  readonly word: 'approve' | 'reject' | 'freeze' | 'unfreeze';
  readonly summary: string;
  readonly body:
    typeof withReason | typeof reasonOptional | typeof judgement | typeof judgementWithReason;
  /** It is about a running trial. */
  readonly needsTrial: boolean;
}

const ORDERS: readonly OrderRoute[] = [
  {
    word: 'approve',
    summary: 'Let the challenger of a manual trial become champion',
    body: judgement.openapi('Approve'),
    needsTrial: true,
  },
  {
    word: 'reject',
    summary: 'End the running trial; the champion stays',
    body: judgementWithReason.openapi('Reject'),
    needsTrial: true,
  },
  {
    word: 'freeze',
    summary: 'Retrain and promote by hand only, until unfrozen',
    body: withReason.openapi('Freeze'),
    needsTrial: false,
  },
  {
    word: 'unfreeze',
    summary: 'Let the lifecycle retrain and promote again',
    body: reasonOptional.openapi('Unfreeze'),
    needsTrial: false,
  },
];

/** What a person decides about a model's lifecycle, and asking it to look now. */
export function lifecycleRoutes(app: App, parts: ApiParts): void {
  for (const order of ORDERS) orderRoute(app, parts, order);
  slotRoute(app, parts, 'settle', 'Join predictions with what happened, as of a market time');
  slotRoute(app, parts, 'monitor', 'Make a drift report, as of a market time');
}

function orderRoute(app: App, parts: ApiParts, { word, summary, body, needsTrial }: OrderRoute) {
  const { auth, db } = parts;
  const route = createRoute({
    method: 'post',
    path: `/api/v1/ml-models/{name}/${word}`,
    tags: ['lifecycle'],
    summary,
    request: { params: modelParam, headers: idempotencyHeader, body: jsonRequest(body) },
    responses: { [HTTP.accepted]: jsonAnswer(orderSchema, 'Accepted') },
  });
  app.openapi(secured(auth, route, { problems: ['conflict'] }), async (c) => {
    const { name: model } = c.req.valid('param');
    const asked = c.req.valid('json');
    await getModelOrThrow(db, model);
    const key = c.req.valid('header')['idempotency-key'];
    const ask = { model, key, route: `POST ${word} ${model}`, body: asked, variables: c.var };
    // A repeat of what was done already is answered as then, though no trial runs any more.
    const meant = 'version' in asked ? asked.version : undefined;
    const check = async (trx: Db) => (needsTrial ? requireTrial(trx, model, meant) : undefined);
    const order = { update: word, reason: asked.reason, version: meant, check };
    return c.json(await sendOrder(parts, ask, order), HTTP.accepted);
  });
}

async function requireTrial(
  db: Db,
  model: string,
  meant: number | undefined,
): Promise<JudgedTrial> {
  const trial = await runningTrial(db, model);
  if (!trial) {
    throw new ApiError('conflict', 'trial.none', `${model} has no running trial to decide on.`);
  }
  requireTrialOf(trial, meant);
  return { id: trial.id, version: trial.version };
}

async function requireChampion(db: Db, model: string): Promise<void> {
  if (await currentChampion(db, model)) return;
  throw new ApiError('conflict', 'champion.none', `${model} has no champion to report on.`);
}

const slotSchema = z.strictObject({
  asOf: instant.optional().describe('Market time; a date: its start (00:00 UTC); default: now.'),
});
const slotAcceptedSchema = z
  .object({ model: z.string(), asOf: z.string(), workflowId: z.string() })
  .openapi('SlotAccepted');

function slotRoute(app: App, parts: ApiParts, word: 'settle' | 'monitor', summary: string): void {
  const slot = createRoute({
    method: 'post',
    path: `/api/v1/ml-models/{name}/${word}`,
    tags: ['lifecycle'],
    summary,
    description:
      'It comes by itself where the spec says `monitor.schedule: on`. One that was asked for runs at a time ' +
      'per model; a second one meanwhile is refused, as both would do the same.',
    request: { params: modelParam, body: jsonRequest(slotSchema) },
    responses: { [HTTP.accepted]: jsonAnswer(slotAcceptedSchema, 'Started') },
  });
  app.openapi(secured(parts.auth, slot, { problems: ['conflict'] }), async (c) => {
    const { name: model } = c.req.valid('param');
    await getModelOrThrow(parts.db, model);
    const now = parts.clock();
    const at = c.req.valid('json').asOf ?? new Date(now).toISOString();
    if (Date.parse(at) > now) {
      throw new ApiError(
        'unprocessable',
        'slot.future',
        `${at} lies in the future: what happens by then is not known yet.`,
        { issues: [{ path: '/asOf', message: 'must not lie in the future' }] },
      );
    }
    // Predictions of a version that was named are settled without one; a report is about the champion.
    if (word === 'monitor') await requireChampion(parts.db, model);
    const asOf = new Date(at).toISOString();
    const { orchestrator } = parts;
    const input = { model, asOf };
    const started = await (word === 'settle'
      ? orchestrator.startSettle(input)
      : orchestrator.startMonitor(input));
    if (!started) {
      const what = word === 'settle' ? 'A settlement' : 'A drift report';
      throw new ApiError(
        'conflict',
        'slot.running',
        `${what} of ${model} is under way; ask again when it has ended.`,
      );
    }
    return c.json({ model, asOf, workflowId: workflowIds[word](model) }, HTTP.accepted);
  });
}
