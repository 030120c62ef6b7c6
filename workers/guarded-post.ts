import http from 'node:http';
import https from 'node:https';
import { RatchetError } from '../core/errors.ts';
import { checkedLookup, refuseUrl, resolveBySystem, type Resolve } from './reach.ts';

/** Code of the error where a webhook leads to what it may not reach. */
export const WEBHOOK_REFUSAL = 'webhook.address';

export interface GuardedPost {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For the whole attempt: name, connection, request, status line. */
  readonly timeoutMs: number;
  /** Networks of the operator's own and this machine; without TLS this machine only. */
  readonly allowPrivate: boolean;
  /** Certificates (PEM) that may have signed the receiver's, instead of the public ones. */
  readonly ca?: string | undefined;
  readonly resolve?: Resolve;
}

const HEADER_BYTES_MAX = 16 * 1024;
/** What is read of a body that nobody looks at, before the connection is closed. */
const BODY_BYTES_MAX = 64 * 1024;

/**
 * One POST that reaches only what it may (SSRF): every address of the name is checked, the connection goes
 * to an address that was checked and the name is not asked again (no rebinding), redirects are answers
 * like others, and nothing of the body is kept. Resolves with the status as soon as it is known. Throws
 * `webhook.address` (permanent) or `webhook.no-answer`; neither says more of the URL than its host.
 */
export function guardedPost(
  post: GuardedPost,
): Promise<{ readonly status: number; readonly retryAfter: string | undefined }> {
  const { url, body, timeoutMs, resolve = resolveBySystem } = post;
  const secure = url.protocol === 'https:';
  const reach = { ...post, refusal: WEBHOOK_REFUSAL };
  const refusal = refuseUrl(reach);
  if (refusal) return Promise.reject(refusal);
  return new Promise((answered, failed) => {
    const request = (secure ? https : http).request(url, {
      method: 'POST',
      headers: { ...post.headers, 'content-length': String(Buffer.byteLength(body)) },
      // A connection of its own: one from a pool was checked for another request.
      agent: false,
      lookup: checkedLookup(reach, resolve),
      maxHeaderSize: HEADER_BYTES_MAX,
      signal: AbortSignal.timeout(timeoutMs),
      ...(post.ca !== undefined && { ca: post.ca }),
    });
    // After the answer this is a promise that has settled: the receiver may go as it likes.
    request.on('error', (error) => failed(asFailure(error, post)));
    request.on('response', (response) => {
      const { statusCode = 0, headers } = response;
      answered({ status: statusCode, retryAfter: headers['retry-after'] });
      drain(response);
    });
    request.end(body);
  });
}

function drain(response: http.IncomingMessage): void {
  let bytes = 0;
  response.on('error', () => undefined);
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) response.destroy();
  });
}

function asFailure(error: Error, { url, timeoutMs }: GuardedPost): RatchetError {
  if (error instanceof RatchetError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const timedOut = error.name === 'TimeoutError' || error.name === 'AbortError';
  const what = timedOut ? `no answer within ${timeoutMs / 1000} s` : (code ?? 'no answer');
  return new RatchetError('webhook.no-answer', `${url.host}: ${what}`, { permanent: false });
}
