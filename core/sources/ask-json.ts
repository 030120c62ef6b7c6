import { RatchetError } from '../errors.ts';
import { SourceError } from './errors.ts';
import { causeOf, readJson, retryAfterMs } from './http-answer.ts';
import type { SourceContext } from './source.ts';

/** First wait after a refused request; it doubles each time. */
const BACKOFF_MS = 1_000;
/** A server that asks for a longer wait than this has its wish: the page is given up. */
const MAX_WAIT_MS = 20_000;

/**
 * One answer with its status; 429 and 5xx are asked again after a pause. No message here names more of the address
 * than its host, because some vendors want the key in the query.
 * Errors: `source.rateLimited`, `source.unavailable`, `source.unreachable`, `source.answer`.
 */
export async function askJson(
  url: URL,
  { attempts }: { readonly attempts: number },
  ctx: SourceContext,
): Promise<{ readonly status: number; readonly body: unknown }> {
  for (let attempt = 1; ; attempt++) {
    const response = await send(url, ctx);
    const { status } = response;
    if (status !== 429 && status < 500) return { status, body: await readJson(response, url.host) };
    await response.body?.cancel();
    const wait = retryAfterMs(response, ctx.clock()) ?? BACKOFF_MS * 2 ** (attempt - 1);
    if (attempt >= attempts || wait > MAX_WAIT_MS) {
      throw new SourceError(
        status === 429 ? 'source.rateLimited' : 'source.unavailable',
        `${url.host} answered ${status} to ${attempt} requests`,
        { permanent: false },
      );
    }
    await ctx.sleep(wait);
    ctx.signal.throwIfAborted();
  }
}

async function send(url: URL, ctx: SourceContext): Promise<Response> {
  try {
    return await ctx.http(url, { headers: { accept: 'application/json' }, signal: ctx.signal });
  } catch (cause) {
    ctx.signal.throwIfAborted();
    if (cause instanceof RatchetError) throw cause;
    throw new SourceError(
      'source.unreachable',
      `${url.host} cannot be reached: ${causeOf(cause)}`,
      { permanent: false },
    );
  }
}
