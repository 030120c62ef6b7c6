import { barCount, TIMEFRAME_MS } from '../bars/bars.ts';
import { barsBetween, barsFromRows, emptyBars, sortBars, type BarRow } from '../bars/build.ts';
import {
  addMarket,
  asSourceError,
  openExchange,
  type Candle,
  type CcxtExchange,
} from './ccxt-exchange.impl.ts';
import type { CcxtParams } from './ccxt.ts';
import { SourceError } from './errors.ts';
import type { BarPage, BarRequest, Source, SourceContext } from './source.ts';

/** First pause after a refused request; it doubles each time. */
const BACKOFF_MS = 1_000;

interface Asked {
  readonly exchange: CcxtExchange;
  readonly params: CcxtParams;
  readonly symbol: string;
  readonly request: BarRequest;
  readonly ctx: SourceContext;
}

/**
 * Candles by `fetchOHLCV(symbol, timeframe, since, limit)` (https://docs.ccxt.com/#/README?id=ohlcv-candlestick-charts), which
 * exchanges take in different ways: `since` inclusive or exclusive, answers that begin before it, fewer rows than asked
 * for, only the newest rows, none where nobody traded. So a page is what lies in its range, whatever came; the next
 * one begins after its last bar, and after a page without a bar the next stretch of time is asked for.
 */
export function create(params: CcxtParams): Source {
  async function* fetch(
    request: BarRequest,
    cursor: string | undefined,
    ctx: SourceContext,
  ): AsyncGenerator<BarPage> {
    ctx.signal.throwIfAborted();
    const asked = await prepare(params, request, ctx);
    const step = TIMEFRAME_MS[request.timeframe];
    const start = Math.max(request.from, Date.parse(params.start));
    let since = Math.ceil((cursor === undefined ? start : Number(cursor)) / step) * step;
    if (since >= request.to) {
      yield { bars: emptyBars(request.instrument, request.timeframe) };
      return;
    }
    while (since < request.to) {
      const page = await pageSince(asked, since);
      const last = page.bars.openTime.at(-1);
      const next = last === undefined ? since + params.pageBars * step : last + step;
      yield next < request.to ? { ...page, cursor: String(next) } : page;
      since = next;
    }
  }
  return { isAvailable: () => Promise.resolve(true), fetch };
}

async function prepare(
  params: CcxtParams,
  request: BarRequest,
  ctx: SourceContext,
): Promise<Asked> {
  const exchange = await openExchange(params, ctx);
  const { instrument, timeframe } = request;
  if (!exchange.has['fetchOHLCV'] || !(timeframe in (exchange.timeframes ?? {}))) {
    const message = `${params.exchange} has no ${timeframe} candles`;
    throw new SourceError('source.exchange', message);
  }
  const market = params.markets[instrument];
  const symbol = market?.symbol ?? instrument.replace('-', '/');
  if (market?.id !== undefined) addMarket(exchange, symbol, market.id);
  return { exchange, params, symbol, request, ctx };
}

/** Some exchanges refuse to give a single candle. */
const MIN_LIMIT = 2;

/** Candles from `since` (ms UTC, inclusive) on, at most a page of them, without what lies outside the request. */
async function pageSince(asked: Asked, since: number): Promise<BarPage> {
  const { params, request } = asked;
  const missing = Math.ceil((request.to - since) / TIMEFRAME_MS[request.timeframe]);
  const limit = Math.min(params.pageBars, Math.max(missing, MIN_LIMIT));
  return pageOf(await candlesSince(asked, since, limit), request, since);
}

async function candlesSince(
  { exchange, params, symbol, request, ctx }: Asked,
  since: number,
  limit: number,
): Promise<readonly Candle[]> {
  for (let attempt = 1; ; attempt++) {
    ctx.signal.throwIfAborted();
    try {
      // A millisecond earlier: to exchanges that give what is later than `since` it is the same.
      return await exchange.fetchOHLCV(symbol, request.timeframe, since - 1, limit);
    } catch (cause) {
      ctx.signal.throwIfAborted();
      const error = asSourceError(cause, params.exchange);
      const reached = error.code === 'source.rateLimited' || error.code === 'source.unavailable';
      if (!reached || attempt >= params.attempts) throw error;
      await ctx.sleep(BACKOFF_MS * 2 ** (attempt - 1));
    }
  }
}

function pageOf(candles: readonly Candle[], request: BarRequest, since: number): BarPage {
  const { instrument, timeframe, to } = request;
  const rows: BarRow[] = [];
  let empty = 0;
  let odd = 0;
  for (const [openTime, open, high, low, close, volume = 0] of candles) {
    const prices = [open, high, low, close];
    if (openTime === undefined || openTime % TIMEFRAME_MS[timeframe] !== 0) odd++;
    else if (prices.some((price) => price === undefined || !(price > 0))) empty++;
    else rows.push({ openTime, open: open!, high: high!, low: low!, close: close!, volume });
  }
  const notes = [
    ...(empty > 0 ? [`${empty} candles without prices left out`] : []),
    ...(odd > 0 ? [`${odd} candles that begin inside a bar left out`] : []),
  ];
  const sorted = sortBars(barsFromRows(instrument, timeframe, rows), { unique: true });
  const bars = barsBetween(sorted, since, to);
  const given = barCount(bars) > 0 ? bars : emptyBars(instrument, timeframe);
  return { bars: given, ...(notes.length > 0 && { notes }) };
}
