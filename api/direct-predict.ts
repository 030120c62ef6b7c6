/** The way of plain prediction requests past the framework, to the same answer. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { z } from '@hono/zod-openapi';
import { hasScope, mayUseModel, type Caller, type Policy } from './auth.ts';
import { HTTP, problemBody, problemHeaders, problemOf, statusOf } from './errors.ts';
import { jsonFault } from './json-guard.ts';
import type { ApiParts } from './parts.ts';
import { inputOf } from './prediction-input.ts';
import { predictSchema, WINDOW_LIMITS } from './prediction-schemas.ts';
import { noteEnd } from './request-end.ts';
import {
  hostOf,
  incompleteBody,
  JSON_TYPE,
  requestIdOf,
  SECURITY_HEADERS,
} from './request-guard.ts';
import { ROUTES } from './route-table.ts';
import { JSON_BODY_BYTES } from './secure.ts';
import { BoundedMap } from './serving/bounded-map.ts';
import { windowOf } from './window-body.ts';

const ROUTE = '/api/v1/ml-models/{name}/predict';
const PATTERN = '/api/v1/ml-models/:name/predict';
const policy: Policy = ROUTES[`POST ${ROUTE}`].policy;
const TARGET = /^\/api\/v1\/ml-models\/([a-z0-9][a-z0-9._-]{0,62})\/predict$/;
const LENGTH = /^[1-9]\d{0,8}$/;
const ROUTING_KEY = /^[\x21-\x7e]{1,128}$/;

type Body = z.infer<typeof predictSchema>;

/** Texts of bodies that were found valid, and what they say; longer ones are bars and windows, each another. */
const VALID_MAX = 1_000;
const VALID_CHARS = 300;

/** A request that anything unusual is asked of goes the ordinary way, which also says what is wrong with one. */
interface Plain {
  readonly model: string;
  readonly caller: Caller;
  readonly requestId: string;
  readonly routingKey: string | undefined;
}

/** What Node makes of a body that was read before the framework got the request. */
type WithBody = IncomingMessage & { rawBody?: Buffer };

/** What is sent, beside the headers of every answer. */
interface Said {
  readonly status: number;
  readonly headers: readonly string[];
  readonly text: string;
}

/**
 * Answers plain requests of one prediction at once, and hands all others to `ordinary`: those of
 * another route or with another shape, before anything is computed for them. Both ways give the
 * same answer to the same request, problems among them; this one spends a tenth of the time around
 * the prediction.
 */
export function directPredict(parts: ApiParts, ordinary: RequestListener): RequestListener {
  const valid = new BoundedMap<string, Body>(VALID_MAX);

  const bodyOf = (bytes: Buffer): Body | undefined => {
    const text = isUtf8(bytes) ? bytes.toString('utf8') : '';
    if (text.length > VALID_CHARS) return validBody(text);
    const known = valid.get(text);
    if (known) return known;
    const body = validBody(text);
    if (body) valid.set(text, body);
    return body;
  };

  const answer = async (bytes: Buffer | undefined, plain: Plain): Promise<Said | undefined> => {
    const { model, caller, requestId, routingKey } = plain;
    try {
      if (!bytes) throw incompleteBody();
      const window = bytes.length > VALID_CHARS ? windowOf(bytes, WINDOW_LIMITS) : undefined;
      const body = bodyOf(window?.rest ?? bytes);
      if (!body || (window && !body.window) || body.explain || body.emergency) return undefined;
      // Field by field: for each request, spreading takes longer.
      const text = await parts.serving.predictText({
        model,
        version: body.version,
        input: inputOf(body, parts.clock(), window?.values),
        confidence: body.confidence,
        record: body.record,
        requestId,
        keyId: caller.keyId,
        routingKey,
      });
      return { status: HTTP.ok, headers: JSON_ANSWER, text };
    } catch (error) {
      return problemSaid(parts, error, plain);
    } finally {
      parts.inFlight.leave();
    }
  };

  return (incoming, outgoing) => {
    const plain = plainOf(parts, incoming);
    // Where there are too many already the ordinary way says so.
    if (!plain || !parts.inFlight.enter()) return ordinary(incoming, outgoing);
    const from = performance.now();
    const { requestId } = plain;
    readBody(incoming, (bytes) => {
      answer(bytes, plain)
        .then((said) => {
          if (said === undefined) {
            (incoming as WithBody).rawBody = bytes!;
            ordinary(incoming, outgoing);
            return;
          }
          send(outgoing, requestId, said);
          const facts = { requestId, method: 'POST', route: PATTERN, status: said.status };
          noteEnd(parts, facts, performance.now() - from);
        })
        .catch((error: unknown) => {
          parts.log.error({ err: error, requestId }, 'an answer could not be sent');
          outgoing.destroy();
        });
    });
  };
}

/** What failed here failed once: the ordinary way would ask for all of it again. */
function problemSaid({ log }: ApiParts, error: unknown, { requestId, model }: Plain): Said {
  const path = ROUTE.replace('{name}', model);
  const problem = problemOf(error, log, { requestId, path });
  return {
    status: statusOf(problem.kind),
    headers: Object.entries(problemHeaders(problem)).flat(),
    text: JSON.stringify(problemBody(problem, requestId)),
  };
}

/** What a request says beside its body, where that is plain; no other way of saying it is understood here. */
function plainOf(parts: ApiParts, { method, url, headers, rawHeaders }: IncomingMessage) {
  if (method !== 'POST') return undefined;
  const model = TARGET.exec(url!)?.[1];
  const { authorization, host } = headers;
  if (model === undefined || authorization === undefined || host === undefined) return undefined;
  const given = headers['x-request-id'];
  const routingKey = headers['x-routing-key'];
  const isPlain =
    // Said twice, a header may be read in two ways.
    2 * Object.keys(headers).length === rawHeaders.length &&
    LENGTH.test(headers['content-length'] ?? '') &&
    Number(headers['content-length']) <= JSON_BODY_BYTES &&
    JSON_TYPE.test(headers['content-type'] ?? '') &&
    (routingKey === undefined || ROUTING_KEY.test(String(routingKey))) &&
    !SPECIAL.some((name) => headers[name] !== undefined) &&
    parts.allowedHosts().has(hostOf(host));
  if (!isPlain) return undefined;
  const caller = parts.auth.recall(authorization);
  if (!caller || policy === 'public' || !hasScope(caller, policy)) return undefined;
  if (!mayUseModel(caller, model)) return undefined;
  const requestId = requestIdOf(given === undefined ? undefined : String(given));
  return { model, caller, requestId, routingKey: routingKey as string | undefined };
}

/** Headers that make a request another one. */
const SPECIAL = ['content-encoding', 'origin', 'prefer', 'transfer-encoding', 'upgrade'] as const;

function validBody(text: string): Body | undefined {
  if (text === '' || jsonFault(text) !== undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = predictSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** Gives all bytes of a body, once; undefined: the caller hung up before they were all there. */
function readBody(incoming: IncomingMessage, done: (bytes: Buffer | undefined) => void): void {
  let first: Buffer | undefined;
  let chunks: Buffer[] | undefined;
  let isWhole = false;
  incoming.on('data', (chunk: Buffer) => {
    if (chunks) chunks.push(chunk);
    else if (first) chunks = [first, chunk];
    else first = chunk;
  });
  incoming.once('end', () => {
    isWhole = true;
    done(chunks ? Buffer.concat(chunks) : (first ?? Buffer.alloc(0)));
  });
  // Also emitted when the connection is lost while the answer is computed, which then goes nowhere.
  incoming.once('error', () => {
    if (!isWhole) done(undefined);
  });
}

const ALWAYS = SECURITY_HEADERS.flat();
const JSON_ANSWER = ['content-type', 'application/json'];

function send(outgoing: ServerResponse, requestId: string, { status, headers, text }: Said): void {
  const length = String(Buffer.byteLength(text));
  const all = ['x-request-id', requestId, ...ALWAYS, ...headers, 'content-length', length];
  outgoing.writeHead(status, all);
  outgoing.end(text);
}
