/** The way of plain prediction requests past the framework, to the same answer. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { z } from '@hono/zod-openapi';
import { hasScope, mayUseModel, type Caller, type Policy } from './auth.ts';
import { HTTP } from './errors.ts';
import { jsonFault } from './json-guard.ts';
import type { ApiParts } from './parts.ts';
import { inputOf } from './prediction-input.ts';
import { predictSchema, WINDOW_LIMITS } from './prediction-schemas.ts';
import { hostOf, JSON_TYPE, requestIdOf, SECURITY_HEADERS } from './request-guard.ts';
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

/**
 * Answers plain requests of one prediction at once, and hands all others to `ordinary`: those of another route, with another
 * shape, or whose answer would be a problem. Both ways give the same answer to the same request; this one spends a tenth of the
 * time around the prediction.
 */
export function directPredict(parts: ApiParts, ordinary: RequestListener): RequestListener {
  const valid = new BoundedMap<string, Body>(VALID_MAX);

  const bodyOf = (bytes: Buffer): Body | undefined => {
    const text = isUtf8(bytes) ? bytes.toString('utf8') : '';
    const known = valid.get(text);
    if (known) return known;
    const body = validBody(text);
    if (body && text.length <= VALID_CHARS) valid.set(text, body);
    return body;
  };

  const answer = async (
    bytes: Buffer,
    { model, caller, requestId, routingKey }: Plain,
  ): Promise<string | undefined> => {
    const window = bytes.length > VALID_CHARS ? windowOf(bytes, WINDOW_LIMITS) : undefined;
    const body = bodyOf(window?.rest ?? bytes);
    if (
      !body ||
      (window && !body.window) ||
      body.explain ||
      body.emergency ||
      !parts.inFlight.enter()
    )
      return undefined;
    try {
      return await parts.serving.predictText({
        ...{ model, version: body.version, input: inputOf(body, parts.clock(), window?.values) },
        ...{ confidence: body.confidence, record: body.record },
        ...{ requestId, keyId: caller.keyId, routingKey },
      });
    } catch {
      // Asked again in the ordinary way, which says what it is: nothing was answered or recorded.
      return undefined;
    } finally {
      parts.inFlight.leave();
    }
  };

  return (incoming, outgoing) => {
    const plain = plainOf(parts, incoming);
    if (!plain) return ordinary(incoming, outgoing);
    const from = performance.now();
    readBody(incoming, (bytes) => {
      void answer(bytes, plain).then((text) => {
        if (text === undefined) {
          (incoming as WithBody).rawBody = bytes;
          ordinary(incoming, outgoing);
          return;
        }
        send(outgoing, plain.requestId, text);
        const labels = { method: 'POST', route: PATTERN, status: String(HTTP.ok) };
        parts.metrics.requests.observe(labels, (performance.now() - from) / 1000);
      });
    });
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

/** Gives all bytes of a body; where they do not arrive there is nobody to answer any more. */
function readBody(incoming: IncomingMessage, done: (bytes: Buffer) => void): void {
  let first: Buffer | undefined;
  let chunks: Buffer[] | undefined;
  incoming.on('data', (chunk: Buffer) => {
    if (chunks) chunks.push(chunk);
    else if (first) chunks = [first, chunk];
    else first = chunk;
  });
  incoming.once('end', () => done(chunks ? Buffer.concat(chunks) : (first ?? Buffer.alloc(0))));
}

const ALWAYS = [...SECURITY_HEADERS.flat(), 'content-type', 'application/json'];

function send(outgoing: ServerResponse, requestId: string, text: string): void {
  const length = String(Buffer.byteLength(text));
  const headers = ['x-request-id', requestId, ...ALWAYS, 'content-length', length];
  outgoing.writeHead(HTTP.ok, headers);
  outgoing.end(text);
}
