import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { TextAnswer } from './async-outcome.ts';
import { HTTP } from './errors.ts';
import type { ApiParts } from './parts.ts';
import { jsonAnswer, ulidSchema } from './schemas.ts';
import type { Env } from './secure.ts';

export const preferHeader = {
  prefer: z
    .string()
    .max(200)
    .optional()
    .describe('`respond-async`: 202 at once, and the answer at `Location`, for an hour.'),
};

export const pendingSchema = z
  .object({
    id: ulidSchema,
    status: z.literal('pending'),
    durable: z
      .boolean()
      .describe(
        'Every replica finds it. false: the database is away; until it is back only this replica does.',
      ),
  })
  .openapi('PendingResult');

/** Of OpenAPI: what a route that can answer later gives out at once. */
export const acceptedAnswer = {
  [HTTP.accepted]: jsonAnswer(pendingSchema, 'Accepted; the answer comes at `Location`'),
};

/** RFC 7240: preferences with commas between them, each with a value or parameters, names in any case. */
export const prefersAsync = (header: string | undefined): boolean =>
  header !== undefined &&
  header
    .split(',')
    .some((part) => part.split(/[;=]/, 1)[0]!.trim().toLowerCase() === 'respond-async');

/** Seconds after which looking again is worth it. */
const LOOK_AGAIN_S = '1';

/** 202 with where the result will be. */
export function stillPending(c: Context, id: string, durable: boolean): Response {
  c.header('location', `/api/v1/results/${id}`);
  c.header('retry-after', LOOK_AGAIN_S);
  c.header('cache-control', 'no-store');
  const view: z.infer<typeof pendingSchema> = { id, status: 'pending', durable };
  return c.json(view, HTTP.accepted);
}

/** Accepts a computation whose answer is fetched later. `compute` gets a signal of this process's end. */
export async function answerLater(
  { results }: ApiParts,
  c: Context<Env>,
  model: string,
  compute: (signal: AbortSignal) => Promise<TextAnswer>,
): Promise<Response> {
  const { caller, requestId } = c.var;
  const bytes = Buffer.byteLength(await c.req.text());
  const { id, durable } = await results.accept({ model, caller, requestId, bytes, compute });
  c.header('preference-applied', 'respond-async');
  return stillPending(c, id, durable);
}

export const asJson = (value: unknown): TextAnswer => ({
  contentType: 'application/json',
  text: JSON.stringify(value),
});
