import { z } from 'zod';
import {
  CircuitBreaker,
  readAnswer,
  repairMessages,
  type ChatMessage,
  type EndpointRole,
  type ExchangeOutcome,
  type ExchangeRecord,
} from '../../core/advice/index.ts';
import { RatchetError } from '../../core/errors.ts';
import { EXCHANGE_ERRORS, type Exchange, type ExchangeAnswer } from './exchange.ts';

/** An OpenAI-compatible endpoint that the operator defined. */
export interface EndpointSettings {
  /** Of `chat/completions`. */
  readonly url: URL;
  /** Language model. */
  readonly model: string;
  /** For all questions of one piece of advice to it. */
  readonly timeoutMs: number;
  readonly allowPrivate: boolean;
  readonly ca: string | undefined;
  /** Ask for `response_format: json_object`; not every server knows it. */
  readonly jsonMode: boolean;
  readonly maxTokens: number;
  /** Read when it is used; undefined: none is sent. May throw where it cannot be read. */
  readonly secret: () => string | undefined;
}

/** Most bytes of an answer: of a few hundred tokens, with everything that servers add. */
const ANSWER_BYTES_MAX = 256 * 1024;
/** A question, and one that says what was wrong with its answer. */
const REQUESTS_MAX = 2;
/** With less time left than this a second question would only be cut off. */
const REPAIR_MIN_MS = 1_000;
const SECRET = /^[\x21-\x7e]{1,4096}$/;

const tokens = z.int().min(0).nullish();
const completionSchema = z.object({
  choices: z
    .array(z.object({ message: z.object({ content: z.string() }) }))
    .min(1)
    .transform(([first]) => first!.message.content),
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens }).nullish().catch(null),
});

/** What came of one request. */
type Reply =
  | {
      readonly outcome: 'answered';
      readonly content: string;
      readonly usage: z.output<typeof completionSchema>['usage'];
    }
  | {
      readonly outcome: Exclude<ExchangeOutcome, 'answered' | 'invalid' | 'left-alone'>;
      readonly pauseMs?: number | undefined;
    };

export interface EndpointAnswer<T> {
  readonly record: ExchangeRecord;
  /** undefined: there is no valid one. */
  readonly answer: T | undefined;
}

/** A record while it is written. */
type OpenRecord = { -readonly [K in keyof ExchangeRecord]: ExchangeRecord[K] };

/** The fields of an answer that are kept with the record. */
interface Sized {
  readonly sizePercent: number;
  readonly reason: string;
  readonly verdict?: 'agree' | 'disagree';
}

/** Asks one endpoint: at most two requests, of which the second only says what was wrong with the first answer. */
export class ChatEndpoint {
  readonly #settings: EndpointSettings;
  readonly #exchange: Exchange;
  readonly #now: () => number;
  readonly #breaker = new CircuitBreaker();

  /** `now`: monotonic ms. */
  constructor(settings: EndpointSettings, exchange: Exchange, now: () => number) {
    this.#settings = settings;
    this.#exchange = exchange;
    this.#now = now;
  }

  /** Never throws for what the other side does: the record says it. */
  async ask<S extends z.ZodType<Sized>>(
    role: EndpointRole,
    messages: readonly ChatMessage[],
    schema: S,
  ): Promise<EndpointAnswer<z.output<S>>> {
    const from = this.#now();
    const record = blankRecord(role, this.#settings.model);
    if (!this.#breaker.mayAsk(from)) return { record, answer: undefined };
    let pauseMs: number | undefined;
    let answer: z.output<S> | undefined;
    try {
      ({ answer, pauseMs } = await this.#converse(messages, schema, record));
    } finally {
      const now = this.#now();
      record.latencyMs = Math.round(now - from);
      if (answer === undefined) this.#breaker.failed(now, pauseMs);
      else this.#breaker.succeeded();
    }
    return { record: { ...record, ...kept(answer) }, answer };
  }

  async #converse<S extends z.ZodType<Sized>>(
    messages: readonly ChatMessage[],
    schema: S,
    record: OpenRecord,
  ): Promise<{ readonly answer?: z.output<S>; readonly pauseMs?: number | undefined }> {
    const deadline = this.#now() + this.#settings.timeoutMs;
    let asked = messages;
    for (record.requests = 1; ; record.requests++) {
      const reply = await this.#request(asked, deadline, record);
      record.outcome = reply.outcome;
      if (reply.outcome !== 'answered') return { pauseMs: reply.pauseMs };
      countTokens(record, reply.usage);
      const read = readAnswer(reply.content, schema);
      if (read.ok) return { answer: read.answer };
      record.outcome = 'invalid';
      record.fault = read.fault;
      if (record.requests === REQUESTS_MAX || deadline - this.#now() < REPAIR_MIN_MS) return {};
      asked = repairMessages(messages, read.fault);
    }
  }

  async #request(
    messages: readonly ChatMessage[],
    deadline: number,
    record: OpenRecord,
  ): Promise<Reply> {
    const { url, model, allowPrivate, ca, jsonMode, maxTokens } = this.#settings;
    let secret: string | undefined;
    try {
      secret = this.#settings.secret();
    } catch {
      // What it says of a file or a variable is for the operator's check of the configuration, not for history.
      return { outcome: 'secret' };
    }
    if (secret !== undefined && !SECRET.test(secret)) return { outcome: 'secret' };
    const body = {
      ...{ model, messages, temperature: 0, max_tokens: maxTokens, stream: false },
      ...(jsonMode && { response_format: { type: 'json_object' } }),
    };
    try {
      const answer = await this.#exchange({
        ...{ url, method: 'POST', allowPrivate, ca, maxBytes: ANSWER_BYTES_MAX },
        body: JSON.stringify(body),
        timeoutMs: Math.max(1, Math.ceil(deadline - this.#now())),
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
        },
      });
      record.status = answer.status;
      return judged(withoutSecret(answer, secret));
    } catch (error) {
      const outcome = error instanceof RatchetError && outcomeOf(error.code);
      if (outcome) return { outcome };
      throw error;
    }
  }
}

const outcomeOf = (code: string) =>
  Object.hasOwn(EXCHANGE_ERRORS, code)
    ? EXCHANGE_ERRORS[code as keyof typeof EXCHANGE_ERRORS]
    : undefined;

/** A server, or a model, may repeat what it was sent. */
const withoutSecret = (answer: ExchangeAnswer, secret: string | undefined): ExchangeAnswer =>
  secret === undefined ? answer : { ...answer, text: answer.text.replaceAll(secret, '[secret]') };

function judged({ status, contentType, retryAfter, text }: ExchangeAnswer): Reply {
  if (status === 429) return { outcome: 'rate-limited', pauseMs: secondsOf(retryAfter) };
  if (status >= 300 && status < 400) return { outcome: 'redirect' };
  if (status !== 200) {
    return { outcome: 'http-error', ...(status === 503 && { pauseMs: secondsOf(retryAfter) }) };
  }
  if (!/^application\/([\w.-]+\+)?json\b/i.test(contentType)) return { outcome: 'content-type' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { outcome: 'not-json' };
  }
  const parsed = completionSchema.safeParse(value);
  if (!parsed.success) return { outcome: 'no-choice' };
  return { outcome: 'answered', content: parsed.data.choices, usage: parsed.data.usage };
}

/** `retry-after` in seconds, as these servers write it, in ms; a date says nothing here: there is no wall clock. */
const secondsOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) * 1000 : undefined;

const blankRecord = (role: EndpointRole, model: string): OpenRecord => ({
  ...{ role, model, outcome: 'left-alone', status: null, fault: null, requests: 0, latencyMs: 0 },
  ...{ sizePercent: null, verdict: null, reason: null },
  ...{ promptTokens: null, completionTokens: null },
});

function countTokens(record: OpenRecord, usage: z.output<typeof completionSchema>['usage']): void {
  const add = (sum: number | null, more: number | null | undefined): number | null =>
    more === null || more === undefined ? sum : (sum ?? 0) + more;
  record.promptTokens = add(record.promptTokens, usage?.prompt_tokens);
  record.completionTokens = add(record.completionTokens, usage?.completion_tokens);
}

const kept = (answer: Sized | undefined) =>
  answer && {
    sizePercent: answer.sizePercent,
    reason: answer.reason,
    verdict: answer.verdict ?? null,
  };
