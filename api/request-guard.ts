import { randomBytes } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { ApiError } from './errors.ts';
import { jsonFault } from './json-guard.ts';

/** What middleware leaves for handlers. */
export interface RequestVariables {
  requestId: string;
}

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** A caller's own id where it is harmless, else a new one. */
export const requestIdOf = (given: string | undefined): string =>
  given !== undefined && REQUEST_ID.test(given) ? given : newRequestId();

/** Sent with every answer: nothing of this API belongs in a frame, a sniffed type or another's cache. */
export const SECURITY_HEADERS: readonly (readonly [string, string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-resource-policy', 'same-origin'],
];

let counter = 0;
const prefix = randomBytes(6).toString('hex');
/** Unique in time and among processes, and cheap: a random prefix per process and a count. */
export const newRequestId = (): string => `${prefix}-${(counter++).toString(36)}`;

/** Gives each request an id (a caller's own is kept when it is harmless) and each answer the headers. */
export function identify(): MiddlewareHandler {
  return async (c, next) => {
    const requestId = requestIdOf(c.req.header('x-request-id'));
    c.set('requestId', requestId);
    c.header('x-request-id', requestId);
    for (const [name, value] of SECURITY_HEADERS) c.header(name, value);
    await next();
  };
}

/**
 * Refuses requests whose Host is not one of ours: a page whose name was rebound to 127.0.0.1 still sends
 * its own name. A foreign Origin is refused as well; there is no CORS, so no page but ours may call.
 */
export function checkHost(allowed: () => ReadonlySet<string>): MiddlewareHandler {
  return async (c, next) => {
    const host = hostOf(c.req.header('host') ?? new URL(c.req.url).host);
    if (!allowed().has(host)) {
      throw new ApiError(
        'forbidden',
        'request.host',
        'This server is not known by that name. Use the address that `ratchet status` shows.',
      );
    }
    const origin = c.req.header('origin');
    if (origin !== undefined && !sameOrigin(origin, c.req.header('host'))) {
      throw new ApiError('forbidden', 'request.origin', 'Requests from other origins are refused.');
    }
    await next();
  };
}

/** Host name without port, lower case. */
export const hostOf = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1');

function sameOrigin(origin: string, host: string | undefined): boolean {
  try {
    return host !== undefined && new URL(origin).host === host.toLowerCase();
  } catch {
    return false;
  }
}

const tooLarge = (limit: number): ApiError =>
  new ApiError('too-large', 'body.too-large', `The body is larger than ${limit} bytes.`);

/**
 * Reads at most `limit` bytes of the body; more is a 413 whatever Content-Length said. Bytes are counted
 * as they arrive, so that memory stays below the limit.
 */
export async function readBody(c: Context, limit: number): Promise<Uint8Array> {
  const encoding = c.req.header('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new ApiError(
      'unsupported-media-type',
      'body.encoding',
      'Compressed bodies are not taken: send the plain bytes.',
    );
  }
  const declared = c.req.header('content-length');
  if (declared !== undefined) {
    if (Number(declared) > limit) throw tooLarge(limit);
    // The HTTP parser gives exactly as many bytes as were declared, so this is bounded.
    const bytes = new Uint8Array(await readOrRefuse(() => c.req.raw.arrayBuffer()));
    if (bytes.byteLength > limit) throw tooLarge(limit);
    return bytes;
  }
  return readOrRefuse(() => readCounted(c.req.raw.body, limit));
}

async function readCounted(
  body: ReadableStream<Uint8Array> | null,
  limit: number,
): Promise<Uint8Array> {
  if (!body) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) {
      void reader.cancel().catch(() => undefined);
      throw tooLarge(limit);
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks, size);
}

/** A caller that hangs up in the middle of its body is no fault of ours. */
export const incompleteBody = (cause?: unknown): ApiError =>
  new ApiError('bad-request', 'body.incomplete', 'The body did not arrive complete.', { cause });

async function readOrRefuse<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw incompleteBody(error);
  }
}

export const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json(?:\s*;.*)?$/i;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads and checks a JSON body before any validator or handler sees it. */
export function jsonBody(limit: number): MiddlewareHandler {
  return async (c, next) => {
    const type = c.req.header('content-type');
    const bytes = await readBody(c, limit);
    if (bytes.byteLength > 0) {
      if (!type || !JSON_TYPE.test(type)) {
        throw new ApiError(
          'unsupported-media-type',
          'body.media-type',
          'Send the body as application/json.',
        );
      }
      const text = decode(bytes);
      const fault = jsonFault(text);
      if (fault) throw new ApiError('bad-request', 'body.json', `The body is refused: ${fault}.`);
      c.req.bodyCache.text = Promise.resolve(text) as never;
    } else {
      c.req.bodyCache.text = Promise.resolve('') as never;
    }
    await next();
  };
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new ApiError('bad-request', 'body.utf8', 'The body is not UTF-8.', { cause });
  }
}
