import { createRoute, z } from '@hono/zod-openapi';
import type { PredictionAnswer } from '../../core/predict/index.ts';
import { ApiError, HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { answerSchema, predictSchema, type PredictBody } from '../prediction-schemas.ts';
import { jsonAnswer, jsonRequest, modelParam } from '../schemas.ts';
import { secured, type App } from '../secure.ts';
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
});

/** Midnight UTC for a date, else the instant. */
const msOf = (text: string): number => Date.parse(text);

/** A date alone means the whole of that day: its end, up to now. */
const END_OF_DAY_MS = 86_400_000 - 1;
function asOfMs(text: string, now: number): number {
  const start = msOf(text);
  return text.length > 10 ? start : Math.min(start + END_OF_DAY_MS, Math.max(start, now));
}

/** What a prediction is computed from, as the body says it. `now`: ms UTC. */
export function inputOf(body: PredictBody, now: number): PredictRequest['input'] {
  const { instrument } = body;
  if (body.window) {
    checkRows(body.window);
    return {
      kind: 'window',
      instrument: named(instrument),
      // JSON has no NaN: a null becomes one, and is then refused by its feature's name.
      values: Float64Array.from(body.window.flat(), (value) => value ?? Number.NaN),
      lastClose: body.lastClose!,
      openTime: msOf(body.openTime!),
    };
  }
  if (body.bars) {
    const rows = body.bars.map(({ openTime, value, ...row }) => ({
      ...row,
      openTime: msOf(openTime),
      ...(value === undefined ? {} : { value }),
    }));
    checkOrder(rows);
    return { kind: 'bars', instrument: named(instrument), rows };
  }
  if (instrument === undefined) return { kind: 'instrument', instrument };
  const asOf = body.asOf === undefined ? {} : { asOf: asOfMs(body.asOf, now) };
  return { kind: 'instrument', instrument, ...asOf };
}

/** Rows of different lengths could have the right size together and mean something else. */
function checkRows(rows: readonly (readonly unknown[])[]): void {
  const width = rows[0]!.length;
  const at = rows.findIndex((row) => row.length !== width);
  if (at < 0) return;
  const fault = `row 0 has ${width} numbers, row ${at} has ${rows[at]!.length}`;
  throw new ApiError('unprocessable', 'predict.bad-window', `The window is uneven: ${fault}.`, {
    issues: [{ path: `/window/${at}`, message: fault }],
  });
}

function named(instrument: string | undefined): string {
  if (instrument !== undefined) return instrument;
  throw new ApiError('unprocessable', 'predict.instrument', 'Say which instrument it is.', {
    issues: [{ path: '/instrument', message: 'is missing' }],
  });
}

function checkOrder(
  rows: readonly { openTime: number; open: number; high: number; low: number; close: number }[],
): void {
  rows.forEach((row, i) => {
    const fault =
      i > 0 && row.openTime <= rows[i - 1]!.openTime
        ? 'openTime must increase'
        : row.high < Math.max(row.open, row.close, row.low)
          ? 'high lies below another price'
          : row.low > Math.min(row.open, row.close)
            ? 'low lies above another price'
            : undefined;
    if (fault === undefined) return;
    throw new ApiError('unprocessable', 'predict.bars', `Bar ${i}: ${fault}.`, {
      issues: [{ path: `/bars/${i}`, message: fault }],
    });
  });
}

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
  const { instrument } = answer;
  const asked = input.kind === 'instrument' ? { ...input, instrument } : input;
  return serving.explain(answer.model, answer.version, asked, Date.parse(answer.asOf));
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
    responses: { [HTTP.ok]: jsonAnswer(answerSchema, 'The prediction') },
  });
  app.openapi(secured(parts.auth, predict, { problems: ['conflict'] }), async (c) => {
    const body = c.req.valid('json');
    const input = inputOf(body, parts.clock());
    const answer = await parts.serving.predict({
      model: c.req.valid('param').name,
      version: body.version,
      input,
      confidence: body.confidence,
      record: body.record,
      requestId: c.var.requestId,
      keyId: c.var.caller.keyId,
      routingKey: c.req.valid('header')['x-routing-key'],
    });
    const explanation = body.explain ? { explanation: await explained(parts, answer, input) } : {};
    // The answer is made of the same types; kept as it is, without copying each of its arrays.
    const shown = { ...answer, ...explanation } as unknown as z.infer<typeof answerSchema>;
    return c.json(shown, HTTP.ok);
  });
  predictionListRoute(app, parts);
}
