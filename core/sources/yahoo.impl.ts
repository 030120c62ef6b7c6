import type { z } from 'zod';
import { TIMEFRAME_MS } from '../bars/bars.ts';
import { DAY_MS } from '../calendar/day.ts';
import { SourceError } from './errors.ts';
import { readJson, retryAfterMs } from './http-answer.ts';
import type { BarPage, BarRequest, Source, SourceContext } from './source.ts';
import { pageOfAnswer } from './yahoo-answer.ts';
import type { yahooParams } from './yahoo.ts';

type Params = z.infer<typeof yahooParams>;

/** First wait after a refused request; it doubles each time. */
const BACKOFF_MS = 1_000;
/** A server that asks for a longer wait than this has its wish: the page is given up. */
const MAX_RETRY_AFTER_MS = 20_000;
/** 1920-01-01: the vendor has nothing older. */
const EARLIEST_MS = -1_577_923_200_000;

export function create(params: Params): Source {
  async function* fetch(
    request: BarRequest,
    cursor: string | undefined,
    ctx: SourceContext,
  ): AsyncGenerator<BarPage> {
    let from = Math.max(cursor === undefined ? request.from : Number(cursor), EARLIEST_MS);
    for (let more = true; more;) {
      const to = Math.min(request.to, from + params.windowDays * DAY_MS);
      more = to < request.to;
      const answer = await ask(chartUrl(params, request, from, to), params, ctx);
      const page = pageOfAnswer(answer, { ...request, from, to }, params.dividends);
      yield more ? { ...page, cursor: String(to) } : page;
      from = to;
    }
  }
  return { isAvailable: () => Promise.resolve(true), fetch };
}

function chartUrl(params: Params, request: BarRequest, from: number, to: number): URL {
  const symbol = params.symbols[request.instrument] ?? request.instrument;
  const url = new URL(`/v8/finance/chart/${encodeURIComponent(symbol)}`, params.baseUrl);
  url.searchParams.set('period1', String(Math.floor(from / 1000)));
  // A daily stamp lies up to a day after its session's midnight UTC.
  const margin = TIMEFRAME_MS[request.timeframe];
  url.searchParams.set('period2', String(Math.ceil((to + margin) / 1000)));
  url.searchParams.set('interval', request.timeframe);
  url.searchParams.set('events', 'div,splits');
  url.searchParams.set('includeAdjustedClose', 'true');
  return url;
}

/** The parsed JSON answer; waits and asks again on 429 and 5xx. */
async function ask(url: URL, params: Params, ctx: SourceContext): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const response = await ctx.http(url, {
      headers: { accept: 'application/json' },
      signal: ctx.signal,
    });
    const retryable = response.status === 429 || response.status >= 500;
    if (!retryable) return readJson(response, url.host);
    await response.body?.cancel();
    const wait = retryAfterMs(response, ctx.clock()) ?? BACKOFF_MS * 2 ** (attempt - 1);
    if (attempt >= params.attempts || wait > MAX_RETRY_AFTER_MS) {
      const limited = response.status === 429;
      throw new SourceError(
        limited ? 'source.rateLimited' : 'source.unavailable',
        `${url.host} answered ${response.status} to ${attempt} requests` +
          (limited ? `; try again in ${Math.ceil(wait / 1000)} s` : ''),
        { permanent: false },
      );
    }
    await ctx.sleep(wait);
    ctx.signal.throwIfAborted();
  }
}
