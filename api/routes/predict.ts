import { createRoute, z } from '@hono/zod-openapi';
import { ApiError, HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import {
  instant,
  instrumentId,
  jsonAnswer,
  jsonRequest,
  modelParam,
  versionNumber,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import type { PredictRequest } from '../serving/serving.ts';
import { predictionListRoute } from './predictions.ts';

/** Rows of `bars`: ten times the longest history that a window needs. */
export const MAX_BARS = 5_000;
const MAX_LOOKBACK = 512;
const MAX_FEATURES = 1_024;

const price = z.number().positive();
export const barSchema = z.strictObject({
  openTime: instant,
  open: price,
  high: price,
  low: price,
  close: price,
  volume: z.number().min(0),
  value: z.number().min(0).optional(),
});

export const predictSchema = z
  .strictObject({
    instrument: instrumentId
      .optional()
      .describe('May be left out where the model answers for one instrument.'),
    asOf: instant
      .optional()
      .describe('Answer as of this time of the past; a date: as of the end of that day (UTC).'),
    version: versionNumber.optional().describe('Default: the champion.'),
    confidence: z
      .enum(['mc', 'none'])
      .default('mc')
      .describe('`mc`: Monte-Carlo confidence and interval; `none`: the forecast alone.'),
    record: z.boolean().default(true).describe('Keep the prediction, to be scored later.'),
    bars: z.array(barSchema).min(1).max(MAX_BARS).optional().describe('Bars of your own.'),
    window: z
      .array(z.array(z.number().nullable()).max(MAX_FEATURES))
      .min(1)
      .max(MAX_LOOKBACK)
      .optional()
      .describe('Features of your own, one row a bar, in the order of the package.'),
    lastClose: price.optional().describe('With `window`: the close of its last bar.'),
    openTime: instant.optional().describe('With `window`: when its last bar opens.'),
  })
  .refine((body) => !(body.bars && body.window), 'give bars or a window, not both')
  .refine(
    (body) => body.asOf === undefined || !(body.bars ?? body.window),
    'asOf goes with the instrument alone: bars and windows say themselves when they end',
  )
  .refine(
    (body) => !body.window || (body.lastClose !== undefined && body.openTime !== undefined),
    'a window needs lastClose and openTime',
  )
  .refine(
    (body) => body.window !== undefined || (body.lastClose ?? body.openTime) === undefined,
    'lastClose and openTime go with a window',
  )
  .openapi('Predict');
export type PredictBody = z.infer<typeof predictSchema>;

const horizonSchema = z
  .object({
    horizon: z.int(),
    targetDate: z.string(),
    price: z.number(),
    change: z.number().describe('Fraction: 0.01 = 1 %.'),
    direction: z.enum(['up', 'down', 'neutral']).describe('Beyond +-0.5 %, else neutral.'),
    confidence: z.number().nullable(),
    relativeStd: z.number().nullable(),
    probabilityUp: z.number().nullable(),
    interval80: z.array(z.number()).length(2).nullable(),
    classes: z
      .object({
        class: z.string(),
        probabilities: z.record(z.string(), z.number()),
        threshold: z.number().nullable().describe('Least move that leaves "hold"; 0.01 = 1 %.'),
      })
      .optional()
      .describe('Of models of classes: the most probable one, and the probability of each.'),
  })
  .openapi('HorizonAnswer');
export const answerSchema = z
  .object({
    id: z.string(),
    batchId: z.string(),
    model: z.string(),
    version: z.int(),
    packageDigest: z.string(),
    instrument: z.string(),
    asOf: z.string().describe("Open time of the window's last bar."),
    lastClose: z.number(),
    horizons: z.array(horizonSchema),
    consistency: z.number(),
    beatsNaive: z.boolean(),
    dissimilarity: z
      .number()
      .nullable()
      .describe(
        'Distance of the newest feature row to the nearest training row over the 95 % quantile of distances ' +
          'between training rows; null where the package holds no training rows.',
      ),
    outlier: z
      .boolean()
      .describe('`dissimilarity` above 1: the model was fitted on nothing like it.'),
    abstain: z
      .boolean()
      .describe(
        "The forecast is shown; the spec's rule (`serving.abstain`) says not to act on it.",
      ),
    abstainReasons: z
      .array(z.enum(['outlier', 'undecided', 'low-confidence', 'confidence-failed']))
      .describe('Empty unless `abstain`.'),
    confidenceFailed: z
      .boolean()
      .describe('Confidence was asked for and could not be computed; the forecast stands.'),
    stale: z
      .boolean()
      .describe('The newest bar is more than `serving.expiresAfter` bars behind the calendar.'),
    staleBars: z.int(),
    generation: z.int(),
    generationAgeS: z.number().describe('Seconds since the registry confirmed the champion.'),
    fallback: z
      .literal('naive')
      .nullable()
      .describe('`naive`: the model has no forecast, and this one says that nothing changes.'),
    fallbackReason: z.enum(['inference-failed', 'not-finite', 'implausible']).nullable(),
    trial: z
      .object({ role: z.literal('canary'), trialId: z.string() })
      .nullable()
      .describe('Set where the challenger of a running trial answered in place of the champion.'),
    recorded: z.boolean(),
  })
  .openapi('Prediction');

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
    const answer = await parts.serving.predict({
      model: c.req.valid('param').name,
      version: body.version,
      input: inputOf(body, parts.clock()),
      confidence: body.confidence,
      record: body.record,
      requestId: c.var.requestId,
      keyId: c.var.caller.keyId,
      routingKey: c.req.valid('header')['x-routing-key'],
    });
    // The answer is made of the same types; kept as it is, without copying each of its arrays.
    return c.json(answer as unknown as z.infer<typeof answerSchema>, HTTP.ok);
  });
  predictionListRoute(app, parts);
}
