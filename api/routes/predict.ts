import { createRoute, z } from '@hono/zod-openapi';
import type { PredictionAnswer } from '../../core/predict/index.ts';
import type { EmergencyScore } from '../../core/signals/index.ts';
import {
  acceptedAnswer,
  answerLater,
  asJson,
  preferHeader,
  prefersAsync,
} from '../async-answer.ts';
import { emergencyOf } from '../emergency.ts';
import { HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { inputOf } from '../prediction-input.ts';
import { answerSchema, predictSchema } from '../prediction-schemas.ts';
import { jsonAnswer, jsonRequest, modelParam } from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { recommendations } from '../signal.ts';
import type { Explanation } from '../serving/explanations.ts';
import type { PredictRequest } from '../serving/serving.ts';
import { predictionListRoute } from './predictions.ts';

/** Who keeps to one arm of a canary. */
export const routingHeader = z.object({
  'x-routing-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, '1 to 128 printable characters')
    .optional()
    .describe(
      'While a challenger gets a share of the traffic, requests with the same key are answered by the same ' +
        'version. Default: API key and instrument.',
    ),
  ...preferHeader,
});

type Shown = z.infer<typeof answerSchema>;

/** What the features contributed to an answer. A fallback's answer came from no feature. */
export async function explained(
  { serving }: ApiParts,
  answer: PredictionAnswer,
  input: PredictRequest['input'],
): Promise<Explanation> {
  if (answer.fallback !== null) {
    return {
      contributions: null,
      reason: 'the declared fallback answered, which reads no feature',
    };
  }
  const asked = { ...input, instrument: answer.instrument };
  return serving.explain(answer.model, answer.version, asked, Date.parse(answer.asOf));
}

/** What a fallback says of the future is nothing: then the bars alone speak. */
async function urgencyOf(
  parts: ApiParts,
  answer: PredictionAnswer,
  input: PredictRequest['input'],
): Promise<EmergencyScore | null> {
  const steps = answer.fallback === null ? await recommendations(parts, answer) : [];
  return emergencyOf(parts, input, answer, steps[0]);
}

/** Predictions: made here, and listed. */
export function predictRoutes(app: App, parts: ApiParts): void {
  const predict = createRoute({
    method: 'post',
    path: '/api/v1/ml-models/{name}/predict',
    tags: ['predict'],
    summary: 'Predict',
    description:
      'Answers from memory, with every other server stopped too. `recorded` says whether it will be scored.',
    request: { params: modelParam, headers: routingHeader, body: jsonRequest(predictSchema) },
    responses: { [HTTP.ok]: jsonAnswer(answerSchema, 'The prediction'), ...acceptedAnswer },
  });
  app.openapi(secured(parts.auth, predict, { problems: ['conflict'] }), async (c) => {
    const body = c.req.valid('json');
    const input = inputOf(body, parts.clock());
    const request: PredictRequest = {
      model: c.req.valid('param').name,
      version: body.version,
      input,
      confidence: body.confidence,
      record: body.record,
      requestId: c.var.requestId,
      keyId: c.var.caller.keyId,
      routingKey: c.req.valid('header')['x-routing-key'],
    };
    const answer = async (): Promise<Shown> => {
      const found = await parts.serving.predict(request);
      const explanation = body.explain ? { explanation: await explained(parts, found, input) } : {};
      const urgent = body.emergency ? { emergency: await urgencyOf(parts, found, input) } : {};
      // The answer is made of the same types; kept as it is, without copying each of its arrays.
      return { ...found, ...explanation, ...urgent } as unknown as Shown;
    };
    if (prefersAsync(c.req.valid('header').prefer)) {
      return answerLater(parts, c, request.model, async () => asJson(await answer())) as never;
    }
    return c.json(await answer(), HTTP.ok);
  });
  predictionListRoute(app, parts);
}
