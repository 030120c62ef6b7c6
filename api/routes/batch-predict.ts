import { createRoute, z } from '@hono/zod-openapi';
import { CURSOR_LENGTH } from '../../core/ranges/index.ts';
import { answerLater, pendingSchema, preferHeader, prefersAsync } from '../async-answer.ts';
import type { TextAnswer } from '../async-outcome.ts';
import { answerBatch, type BatchOutcome } from '../batch.ts';
import { batchPredictionSchema } from '../batch-prediction-access.ts';
import { ApiError, HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { answerSchema, batchItemSchema } from '../prediction-schemas.ts';
import { MAX_RANGES, MAX_RANGES_OF_KEY, MAX_STREAMED_ROWS } from '../range/limits.ts';
import { rangePlaces } from '../range/places.ts';
import { handInRange } from '../range/hand-in.ts';
import { rangeQuestion, rangeSchema, rowsOf } from '../range/question.ts';
import { ARROW_WORDS, rangeEndSchema, rangeHeaders, rangeRowSchema } from '../range/schemas.ts';
import { ARROW, formatOf, NDJSON, rangeResponse } from '../range/stream.ts';
import {
  idempotencyHeader,
  instant,
  instrumentId,
  jsonAnswer,
  jsonRequest,
  modelParam,
  versionNumber,
} from '../schemas.ts';
import { problemSchema, secured, type App } from '../secure.ts';

/** Items of one request; their answers have some 2 kB each. */
export const MAX_BATCH_ITEMS = 1_000;
/** Batches that this replica computes at once; beyond, callers are told to come again. */
const MAX_BATCHES = 8;

const batchSchema = z
  .strictObject({
    items: z
      .array(z.unknown().openapi({ type: 'object', description: 'A `BatchItem`.' }))
      .min(1)
      .max(MAX_BATCH_ITEMS)
      .optional()
      .describe('Each is checked by itself: what is wrong with one fails no other.'),
    instruments: z
      .array(instrumentId)
      .min(1)
      .max(MAX_BATCH_ITEMS)
      .optional()
      .describe('In place of `items`: each of them as of each time of `asOf`, in this order.'),
    asOf: z.array(instant).min(1).max(MAX_BATCH_ITEMS).optional().describe('Default: now.'),
    range: rangeSchema
      .optional()
      .describe(
        'In place of both: each session of a range, for `instruments` or all of the model.',
      ),
    cursor: z
      .string()
      .max(CURSOR_LENGTH)
      .optional()
      .describe('With `range`: go on behind the row that has this cursor.'),
    version: versionNumber
      .or(z.literal('then'))
      .optional()
      .describe(
        'Of the whole batch. Default: the champion; with `range`, `then`: whichever served at each time.',
      ),
    confidence: z
      .enum(['mc', 'none'])
      .default('none')
      .describe('`mc`: Monte-Carlo confidence and interval; some 10 ms an item.'),
    record: z
      .boolean()
      .optional()
      .describe('Keep the predictions, to be scored later; default: true. Not of a range.'),
  })
  .refine(
    ({ items, instruments, range }) =>
      range ? items === undefined : (items === undefined) !== (instruments === undefined),
    'give either items or instruments, or a range (with or without instruments)',
  )
  .refine(
    ({ range, asOf, confidence }) => !range || (asOf === undefined && confidence === 'none'),
    'a range says its times itself, and its answers have no confidence',
  )
  .refine(
    ({ range, record }) => !range || record === undefined,
    'nothing is recorded of a range: leave out record',
  )
  .refine(
    ({ range, cursor, version }) => range || (cursor === undefined && version !== 'then'),
    'cursor and version: then go with a range',
  )
  .refine(
    (body) => body.asOf === undefined || body.instruments !== undefined,
    'asOf goes with instruments; an item says its own',
  )
  .refine(
    (body) => (body.instruments?.length ?? 0) * (body.asOf?.length ?? 1) <= MAX_BATCH_ITEMS,
    `instruments times asOf are ${MAX_BATCH_ITEMS} items at most`,
  )
  .openapi('BatchPredict');
type BatchBody = z.infer<typeof batchSchema>;

const outcomeSchema = z
  .object({
    index: z.int().describe('Of the item, from 0.'),
    prediction: answerSchema.optional(),
    problem: problemSchema.optional().describe('What a request for this item alone would get.'),
  })
  .openapi('BatchOutcome');

const batchAnswerSchema = z
  .object({
    batchId: z.string(),
    model: z.string(),
    version: z.int().describe('It answered every item.'),
    packageDigest: z.string(),
    generation: z.int(),
    failed: z.int().describe('Items with a problem.'),
    items: z.array(outcomeSchema),
  })
  .openapi('BatchAnswer');

/** One item a member of the product, or the items as they came. */
function itemsOf({ items, instruments, asOf }: BatchBody): readonly unknown[] {
  if (items) return items;
  return instruments!.flatMap((instrument): unknown[] =>
    asOf ? asOf.map((time) => ({ instrument, asOf: time })) : [{ instrument }],
  );
}

interface BatchCall {
  readonly model: string;
  readonly body: BatchBody;
  readonly lines: boolean;
  readonly requestId: string;
  readonly keyId: string;
  readonly signal: AbortSignal;
}

/** Computes a batch and writes its answer: one document, or a line an item. Throws what concerns all of it, such as a model without champion. */
async function batchAnswer(parts: ApiParts, call: BatchCall): Promise<TextAnswer> {
  const { model, body, lines, requestId, keyId, signal } = call;
  const { confidence, record = true } = body;
  // `then` goes with ranges alone.
  const version = body.version === 'then' ? undefined : body.version;
  const request = { model, version, confidence, record, requestId, keyId };
  return parts.serving.withBatch(request, async (batch) => {
    const work = { items: itemsOf(body), confidence, requestId, signal };
    const outcomes: readonly BatchOutcome[] = await answerBatch(parts, batch, work);
    const { batchId, packageDigest, generation } = batch;
    const of = { batchId, model, version: batch.version, packageDigest, generation };
    if (lines) {
      const text = outcomes.map((o) => `${JSON.stringify({ batchId, ...o })}\n`).join('');
      return { contentType: NDJSON, text };
    }
    const failed = outcomes.filter((o) => 'problem' in o).length;
    const text = JSON.stringify({ ...of, failed, items: outcomes });
    return { contentType: 'application/json', text };
  });
}

const route = createRoute({
  method: 'post',
  path: '/api/v1/ml-models/{name}/batch-predict',
  tags: ['predict'],
  summary: 'Predict many at once',
  description:
    `At most ${MAX_BATCH_ITEMS} items and 4 MiB. One version answers all; each item gets its prediction or its problem. ` +
    `\`Accept: ${NDJSON}\`: a line an item. Trials take no part in batches. With \`range\` it is a stream of any length, ` +
    `as lines (${NDJSON}, the default) or Arrow (${ARROW}), which nothing is recorded of. With \`range\` and ` +
    `\`Prefer: respond-async\`, or over ${MAX_STREAMED_ROWS} rows, a workflow computes it: 202, a \`BatchPrediction\`.`,
  request: {
    params: modelParam,
    headers: idempotencyHeader.extend(preferHeader),
    body: jsonRequest(batchSchema),
  },
  responses: {
    [HTTP.ok]: {
      description: 'The predictions, in the order of the items',
      headers: rangeHeaders,
      content: {
        ...jsonAnswer(batchAnswerSchema, '').content,
        [NDJSON]: {
          schema: z
            .string()
            .describe(
              '`BatchOutcome`, with `batchId`, a line; of a range `RangeRow`, and `RangeEnd` as the last line.',
            ),
        },
        [ARROW]: { schema: z.string().describe(ARROW_WORDS) },
      },
    },
    [HTTP.accepted]: jsonAnswer(
      pendingSchema.or(batchPredictionSchema),
      'Accepted; the answer comes at `Location`. Of a range: a `BatchPrediction`',
    ),
  },
});

/** Many predictions of one version in one request. */
export function batchPredictRoutes(app: App, parts: ApiParts): void {
  app.openAPIRegistry.register('BatchItem', batchItemSchema);
  app.openAPIRegistry.register('RangeRow', rangeRowSchema);
  app.openAPIRegistry.register('RangeEnd', rangeEndSchema);
  const places = rangePlaces({ all: MAX_RANGES, ofKey: MAX_RANGES_OF_KEY });
  let running = 0;
  app.openapi(secured(parts.auth, route, { problems: ['conflict'] }), async (c) => {
    const call = {
      model: c.req.valid('param').name,
      body: c.req.valid('json'),
      lines: c.req.header('accept')?.includes(NDJSON) ?? false,
      requestId: c.var.requestId,
      keyId: c.var.caller.keyId,
    };
    const { range } = call.body;
    const isLater = prefersAsync(c.req.valid('header').prefer);
    if (range) {
      const question = await rangeQuestion(parts, call.model, { ...call.body, range });
      const format = formatOf(c.req.header('accept'));
      if (isLater || rowsOf(question) > MAX_STREAMED_ROWS) {
        const idempotencyKey = c.req.valid('header')['idempotency-key'];
        const handedIn = { question, format, idempotencyKey, body: call.body };
        return (await handInRange(parts, c, handedIn)) as never;
      }
      const onEnd = places.take(call.keyId);
      try {
        const { requestId } = call;
        return (await rangeResponse(parts, { question, format, requestId, onEnd })) as never;
      } catch (error) {
        onEnd();
        throw error;
      }
    }
    if (isLater) {
      const compute = (signal: AbortSignal) => batchAnswer(parts, { ...call, signal });
      return answerLater(parts, c, call.model, compute) as never;
    }
    if (running >= MAX_BATCHES) {
      throw new ApiError('unavailable', 'predict.overloaded', 'Too many batches at once.', {
        retryAfterS: 2,
      });
    }
    running++;
    try {
      const { signal } = c.req.raw;
      const { contentType, text } = await batchAnswer(parts, { ...call, signal });
      return c.body(text, HTTP.ok, { 'content-type': contentType }) as never;
    } finally {
      running--;
    }
  });
}
