import { createRoute, z } from '@hono/zod-openapi';
import { ulid } from 'ulid';
import {
  accountFactsSchema,
  ADVICE_REASONS,
  adviceFactsSchema,
  adviceWords,
  exchangeRecordSchema,
  marketFactsSchema,
  PROMPT_VERSION,
  signalFactsSchema,
} from '../../core/advice/index.ts';
import { listAdvice, recordAdvice, type PositionAdvice } from '../../registry/advice.ts';
import { askedBar, type AskedBar } from '../advice/question.ts';
import { requireModel } from '../auth.ts';
import { HTTP, isDatabaseAway } from '../errors.ts';
import { nextCursor, pageAnswer, pageQuery } from '../paging.ts';
import type { ApiParts } from '../parts.ts';
import { inputOf } from '../prediction-input.ts';
import {
  instant,
  instrumentId,
  iso,
  jsonAnswer,
  jsonRequest,
  modelName,
  ulidSchema,
  versionNumber,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const bodySchema = z
  .strictObject({
    model: modelName.optional().describe('Its signal and its market are the facts.'),
    instrument: instrumentId
      .optional()
      .describe('May be left out where the model answers for one instrument.'),
    asOf: instant.optional().describe('As of this time of the past.'),
    version: versionNumber.optional().describe('Default: the champion.'),
    facts: z
      .strictObject({ signal: signalFactsSchema, market: marketFactsSchema })
      .optional()
      .describe('Your own, in place of a model.'),
    account: accountFactsSchema.optional().describe('Default: the account provider is asked.'),
  })
  .refine(
    ({ model, facts }) => (model === undefined) !== (facts === undefined),
    'either a model or facts',
  )
  .refine(
    ({ facts, asOf, version }) =>
      facts === undefined || (asOf === undefined && version === undefined),
    'asOf and version go with a model',
  )
  .openapi('AdviceRequest');

const ruleSchema = z
  .object({
    size: z.number(),
    terms: z
      .record(z.string(), z.number())
      .describe('Factors of the rule: strength, trust, proof, calm, room.'),
    stop: z.enum(['abstain', 'emergency']).nullable(),
  })
  .openapi('RuleAdvice');

const adviceSchema = z
  .object({
    id: z.string(),
    createdAt: z.string(),
    model: z.string().nullable(),
    version: z.int().nullable(),
    instrument: z.string().nullable(),
    asOf: z.string().nullable(),
    predictionId: z.string().nullable(),
    size: z.number().describe('Share of the position that is wanted anyway, .05 to 1.'),
    decidedBy: z.enum(['models', 'rule']),
    reason: z.enum(ADVICE_REASONS),
    words: z.string(),
    rule: ruleSchema.describe('What the rule says of the same facts.'),
    facts: adviceFactsSchema,
    prompt: z.string().describe('Its version.'),
    exchanges: z.array(exchangeRecordSchema).describe('Questions to language models, in order.'),
    latencyMs: z.int(),
  })
  .openapi('Advice');

const view = (row: PositionAdvice): z.infer<typeof adviceSchema> => ({
  id: row.id,
  createdAt: row.created_at.toISOString(),
  ...{ model: row.model, version: row.version, instrument: row.instrument },
  asOf: iso(row.as_of),
  predictionId: row.prediction_id,
  ...{ size: row.size, decidedBy: row.decided_by, reason: row.reason, words: adviceWords(row) },
  rule: { ...row.rule, terms: { ...row.rule.terms } },
  facts: row.facts,
  prompt: row.prompt,
  exchanges: [...row.exchanges],
  latencyMs: row.latency_ms,
});

/** How much of a position to take, who decided so, and what was advised before. */
export function adviceRoutes(app: App, parts: ApiParts): void {
  askRoute(app, parts);
  listRoute(app, parts);
}

function askRoute(app: App, parts: ApiParts): void {
  const ask = createRoute({
    method: 'post',
    path: '/api/v1/advice',
    tags: ['predict'],
    summary: 'Advice on the size of a position',
    description:
      'A share of 5 to 100 % of the position that is wanted anyway; the side is no matter of it. Two language models that the ' +
      'operator defined are asked, the second checks the first. Where they do not agree, fail or are not there, a rule decides.',
    request: { body: jsonRequest(bodySchema) },
    responses: {
      [HTTP.ok]: jsonAnswer(
        adviceSchema.extend({
          recorded: z.boolean().describe('false: the database was away; history lacks it.'),
        }),
        'The advice',
      ),
    },
  });
  app.openapi(secured(parts.auth, ask, { problems: ['conflict'] }), async (c) => {
    const { caller, requestId } = c.var;
    const { facts, account, model, instrument = null, ...body } = c.req.valid('json');
    if (model !== undefined) requireModel(caller, model);
    const asked = model === undefined ? undefined : await askModel();
    const about = asked ?? { ...facts!, instrument };
    const { signal, market } = about;
    const advice = await parts.advisor.advise({
      ...{ signal, market, account },
      instrument: about.instrument,
    });
    const { exchanges, latencyMs, decision, rule } = advice;
    const row: PositionAdvice = {
      ...{ id: ulid(parts.clock()), model: model ?? null, instrument: about.instrument },
      ...bar(asked),
      ...{ prompt: PROMPT_VERSION, facts: advice.facts, exchanges, rule, size: decision.size },
      ...{ decided_by: decision.decidedBy, reason: decision.reason, latency_ms: latencyMs },
      ...{ key_id: caller.keyId, request_id: requestId, created_at: new Date(parts.clock()) },
    };
    const recorded = await isRecorded(parts, row);
    return c.json({ ...view(row), recorded }, HTTP.ok);

    function askModel(): Promise<AskedBar> {
      return askedBar(parts, {
        ...{ model: model!, version: body.version, confidence: 'mc', record: true },
        input: inputOf({ instrument: instrument ?? undefined, asOf: body.asOf }, parts.clock()),
        ...{ requestId, keyId: caller.keyId },
      });
    }
  });
}

const bar = (asked: AskedBar | undefined) => ({
  version: asked?.version ?? null,
  as_of: asked === undefined ? null : new Date(asked.asOf),
  prediction_id: asked?.predictionId ?? null,
});

/** Advice was given, and perhaps paid for: a database that is away does not take it back, and the answer says so. */
async function isRecorded({ db, log }: ApiParts, row: PositionAdvice): Promise<boolean> {
  try {
    await recordAdvice(db, row);
    return true;
  } catch (error) {
    if (!isDatabaseAway(error)) throw error;
    log.warn({ err: error, id: row.id }, 'advice could not be recorded');
    return false;
  }
}

function listRoute(app: App, { auth, db }: ApiParts): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/advice',
    tags: ['predict'],
    summary: 'Advice that was given, newest first',
    request: {
      query: z.object({
        ...pageQuery(ulidSchema),
        model: modelName.optional(),
        instrument: instrumentId.optional(),
      }),
    },
    responses: {
      [HTTP.ok]: pageAnswer(adviceSchema),
    },
  });
  app.openapi(secured(auth, list), async (c) => {
    const { caller } = c.var;
    const query = c.req.valid('query');
    // What is of no model is for keys of all.
    const models = caller.models.length === 0 ? undefined : caller.models;
    const rows = await listAdvice(db, { ...query, models });
    const next = nextCursor(rows, query.limit, ({ id }) => id);
    return c.json({ items: rows.map(view), nextCursor: next }, HTTP.ok);
  });
}
