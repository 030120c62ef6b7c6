/** What is kept of one question to an endpoint: numbers, words of ours, and one short line of the answer. */
import { z } from 'zod';

export const ENDPOINT_ROLES = ['advisor', 'checker'] as const;
export type EndpointRole = (typeof ENDPOINT_ROLES)[number];

/** How it ended. */
export const EXCHANGE_OUTCOMES = [
  'answered',
  'invalid',
  'no-choice',
  'not-json',
  'content-type',
  'http-error',
  'rate-limited',
  'redirect',
  'too-large',
  'timeout',
  'unreachable',
  'address',
  'secret',
  'left-alone',
] as const;
export type ExchangeOutcome = (typeof EXCHANGE_OUTCOMES)[number];

export const exchangeRecordSchema = z.strictObject({
  role: z.enum(ENDPOINT_ROLES),
  model: z.string().describe('Language model, as the operator named it.'),
  outcome: z
    .enum(EXCHANGE_OUTCOMES)
    .describe('left-alone: it failed too often or asked for a pause, and was not asked.'),
  status: z.int().nullable().describe('Of the last HTTP answer.'),
  fault: z
    .enum(['too-long', 'no-object', 'several-objects', 'not-valid'])
    .nullable()
    .describe('What was wrong with the last text; set with `answered` where it was repaired.'),
  requests: z.int().min(0).max(2),
  latencyMs: z.number(),
  sizePercent: z.number().nullable(),
  verdict: z.enum(['agree', 'disagree']).nullable(),
  reason: z.string().nullable().describe('What the model wrote: text of others, 300 characters.'),
  promptTokens: z.int().nullable(),
  completionTokens: z.int().nullable(),
});
export type ExchangeRecord = z.infer<typeof exchangeRecordSchema>;
