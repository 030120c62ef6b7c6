import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { ExchangeAnswer, ExchangeErrorCode, ExchangeRequest } from '../api/advice/exchange.ts';
import { RatchetError } from '../core/errors.ts';
import { checkedLookup, refuseUrl, resolveBySystem, type Resolve } from './reach.ts';

const HEADER_BYTES_MAX = 16 * 1024;

/**
 * One request that reaches only what it may, as `guardedPost`, and whose answer is read up to `maxBytes`. Redirects are
 * not followed. Throws `exchange.address` (permanent), `exchange.timeout`, `exchange.too-large`, `exchange.unreachable`.
 */
export function guardedExchange(
  request: ExchangeRequest,
  resolve: Resolve = resolveBySystem,
): Promise<ExchangeAnswer> {
  const { url, method, body, timeoutMs, ca } = request;
  const reach = { ...request, refusal: 'exchange.address' satisfies ExchangeErrorCode };
  const refusal = refuseUrl(reach);
  if (refusal) return Promise.reject(refusal);
  return new Promise((answered, failed) => {
    const sent = (url.protocol === 'https:' ? https : http).request(url, {
      method,
      headers: {
        ...request.headers,
        // A compressed body could be small on the way and endless here.
        'accept-encoding': 'identity',
        ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
      },
      // A connection of its own: one from a pool was checked for another request.
      agent: false,
      lookup: checkedLookup(reach, resolve),
      maxHeaderSize: HEADER_BYTES_MAX,
      signal: AbortSignal.timeout(timeoutMs),
      ...(ca !== undefined && { ca }),
    });
    sent.on('error', (error) => failed(asFailure(error, request)));
    sent.on('response', (response) => {
      read(response, request).then(answered, (error: Error) => {
        sent.destroy();
        failed(asFailure(error, request));
      });
    });
    sent.end(body);
  });
}

async function read(response: IncomingMessage, request: ExchangeRequest): Promise<ExchangeAnswer> {
  const { statusCode = 0, headers } = response;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > request.maxBytes) {
      throw failure(
        'exchange.too-large',
        `${request.url.host}: more than ${request.maxBytes} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return {
    status: statusCode,
    contentType: headers['content-type'] ?? '',
    retryAfter: headers['retry-after'],
    text: Buffer.concat(chunks).toString('utf8'),
  };
}

const failure = (code: ExchangeErrorCode, message: string): RatchetError =>
  new RatchetError(code, message, { permanent: false });

function asFailure(error: Error, { url, timeoutMs }: ExchangeRequest): RatchetError {
  if (error instanceof RatchetError) return error;
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return failure('exchange.timeout', `${url.host}: no answer within ${timeoutMs / 1000} s`);
  }
  const { code } = error as NodeJS.ErrnoException;
  return failure('exchange.unreachable', `${url.host}: ${code ?? 'no answer'}`);
}
