import { createRoute, z } from '@hono/zod-openapi';
import { RECOMMENDATIONS } from '../../core/signals/index.ts';
import { acceptedAnswer, answerLater, asJson, prefersAsync } from '../async-answer.ts';
import { requireModel } from '../auth.ts';
import { HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { inputOf } from '../prediction-input.ts';
import {
  answerSchema,
  barSchema,
  emergencySchema,
  explainField,
  explanationSchema,
  MAX_BARS,
} from '../prediction-schemas.ts';
import {
  instant,
  instrumentId,
  jsonAnswer,
  jsonRequest,
  modelName,
  versionNumber,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { signalOf, type SignalSource } from '../signal.ts';
import type { PredictRequest } from '../serving/serving.ts';
import { explained, routingHeader } from './predict.ts';

const bodySchema = z
  .strictObject({
    model: modelName,
    instrument: instrumentId
      .optional()
      .describe('May be left out where the model answers for one instrument.'),
    asOf: instant.optional().describe('As of this time of the past.'),
    version: versionNumber.optional().describe('Default: the champion.'),
    confidence: z
      .enum(['mc', 'none'])
      .default('mc')
      .describe('Quantities have a probability only with `mc`.'),
    record: z.boolean().default(true).describe('Keep the prediction, to be scored later.'),
    explain: explainField,
    bars: z.array(barSchema).min(1).max(MAX_BARS).optional().describe('Bars of your own.'),
  })
  .refine((body) => body.asOf === undefined || !body.bars, 'asOf goes with the instrument alone')
  .openapi('SignalRequest');

const stepSchema = {
  recommendation: z.enum(RECOMMENDATIONS),
  score: z
    .number()
    .describe('p(buy) - p(sell), or how far p(buy) lies from its usual share (`basis`).'),
  probability: z.number().describe('Of a rise that counts.'),
  cuts: z.object({ buy: z.number(), strongBuy: z.number() }),
};

const signalSchema = z
  .object({
    model: z.string(),
    version: z.int().nullable().describe('null: no version answered.'),
    instrument: z.string(),
    asOf: z.string(),
    lastClose: z.number(),
    source: z
      .enum(['model', 'strategy', 'heuristic'])
      .describe(
        '`strategy`: what `serving.strategy` declares, by the answer of the model where it asks it, else because no model could answer; `heuristic`: a rule of thumb, which has learnt nothing.',
      ),
    reason: z
      .string()
      .nullable()
      .describe('Why the answer of the model is not in it; null: it is.'),
    ...stepSchema,
    probability: stepSchema.probability
      .nullable()
      .describe('Of a rise that counts; null: of a strategy.'),
    horizon: z
      .int()
      .nullable()
      .describe('Bars; of the first horizon. null: of what stands in for a model.'),
    horizons: z.array(
      z.object({
        horizon: z.int(),
        basis: z.enum(['twoSided', 'againstBaseRate']),
        ...stepSchema,
      }),
    ),
    terms: z.record(z.string(), z.number()).nullable().describe('Of the heuristic, each -1..1.'),
    emergency: emergencySchema.nullable(),
    strategy: z
      .object({
        kind: z.string(),
        position: z.number().describe('Target, -1 (short) to 1 (long); the score is the same.'),
        decidedBy: z.string().describe('Who of it decided.'),
        fallback: z.boolean().describe('That stood in for a model which gave no answer.'),
      })
      .nullable()
      .describe('The strategy that speaks; `horizons` is what the model says of its own answer.'),
    beatsNaive: z.boolean().describe('false for what stands in: nothing proved it.'),
    abstain: z.boolean(),
    stale: z.boolean().nullable(),
    prediction: answerSchema.nullable(),
    explanation: explanationSchema.optional().describe('Where it was asked for.'),
  })
  .openapi('Signal');
const STAND_IN = {
  strategy: 'the strategy that the template declares did',
  heuristic: 'a rule of thumb did, and its terms are all there is',
} as const;
type SignalView = z.infer<typeof signalSchema>;

/** The first horizon speaks for the signal. */
function viewOf(model: string, found: SignalSource): SignalView {
  const { prediction, emergency } = found;
  const shown = prediction as unknown as SignalView['prediction'];
  if (found.source === 'model') {
    const { version, instrument, asOf, lastClose, beatsNaive, abstain, stale } = found.prediction;
    const { horizon, recommendation, score, probability, cuts } = found.horizons[0]!;
    return {
      ...{ model, version, instrument, asOf, lastClose, source: 'model', reason: null },
      ...{ recommendation, score, probability, cuts, horizon },
      horizons: found.horizons.map((step) => ({ ...step })),
      ...{ terms: null, strategy: null, emergency, beatsNaive, abstain, stale, prediction: shown },
    };
  }
  const { instrument, asOf, lastClose, reason } = found;
  const horizons = 'horizons' in found ? found.horizons.map((step) => ({ ...step })) : [];
  return {
    ...{ model, version: prediction?.version ?? null, instrument, asOf, lastClose, reason },
    ...spokenBy(found),
    ...{ horizon: null, horizons, beatsNaive: false },
    abstain: reason === null && prediction?.abstain === true,
    ...{ emergency, stale: prediction?.stale ?? null, prediction: shown },
  };
}

function spokenBy(found: Exclude<SignalSource, { source: 'model' }>) {
  if (found.source === 'strategy') {
    const { kind, position, decidedBy, fallback, recommendation, cuts } = found.strategy;
    return {
      ...{ source: 'strategy' as const, recommendation, score: position, probability: null, cuts },
      ...{ terms: null, strategy: { kind, position, decidedBy, fallback } },
    };
  }
  const { terms, ...step } = found.heuristic;
  return { source: 'heuristic' as const, ...step, terms: { ...terms }, strategy: null };
}

/** A model's answer as a recommendation in five steps. */
export function signalRoutes(app: App, parts: ApiParts): void {
  const signal = createRoute({
    method: 'post',
    path: '/api/v1/signals',
    tags: ['predict'],
    summary: 'A five-step recommendation',
    description:
      'strong_buy, buy, hold, sell or strong_sell from the probabilities of a model, or from the target that the strategy of ' +
      "the template's `serving.strategy` makes of its answer. Where no model can answer, a strategy without a model, or the " +
      'fallback of one with it, does, else a rule of thumb over the same bars, and `source` says so.',
    request: { headers: routingHeader, body: jsonRequest(bodySchema) },
    responses: { [HTTP.ok]: jsonAnswer(signalSchema, 'The signal'), ...acceptedAnswer },
  });
  app.openapi(secured(parts.auth, signal, { problems: ['conflict'] }), async (c) => {
    const { model, ...body } = c.req.valid('json');
    requireModel(c.var.caller, model);
    const input = inputOf(body, parts.clock());
    const request: PredictRequest = {
      model,
      version: body.version,
      input,
      confidence: body.confidence,
      record: body.record,
      requestId: c.var.requestId,
      keyId: c.var.caller.keyId,
      routingKey: c.req.valid('header')['x-routing-key'],
    };
    const explanationOf = async (found: SignalSource): Promise<object> => {
      const { source, prediction } = found;
      const isAnswer = source === 'model' || found.reason === null;
      if (isAnswer && prediction !== null) return explained(parts, prediction, input);
      const what = STAND_IN[source === 'model' ? 'strategy' : source];
      return { contributions: null, reason: `no model answered: ${what}` };
    };
    const answer = async (): Promise<SignalView> => {
      const found = await signalOf(parts, request);
      const view = viewOf(model, found);
      if (!body.explain) return view;
      const explanation = await explanationOf(found);
      return { ...view, explanation: explanation as z.infer<typeof explanationSchema> };
    };
    if (prefersAsync(c.req.valid('header').prefer)) {
      return answerLater(parts, c, model, async () => asJson(await answer())) as never;
    }
    return c.json(await answer(), HTTP.ok);
  });
}
