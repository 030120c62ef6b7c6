import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TIMEFRAME_MS, type Bars } from '../../core/bars/bars.ts';

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface ExchangeServer extends AsyncDisposable {
  readonly url: string;
  /** Paths with queries that were asked for. */
  readonly asked: readonly URL[];
  /** Candles by the exchange's own id of the market, the one being formed included. */
  markets: Readonly<Record<string, Bars>>;
  /** Answers with what it gives where it gives something; `nth` counts requests from 0. */
  refuse: (url: URL, nth: number) => ExchangeAnswer | undefined;
}

type Answer = (server: ExchangeServer, url: URL) => ExchangeAnswer;

async function start(routes: Readonly<Record<string, Answer>>): Promise<ExchangeServer> {
  const asked: URL[] = [];
  const http = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const nth = asked.push(url) - 1;
    const route = routes[url.pathname];
    const { status, headers, body } = played.refuse(url, nth) ??
      route?.(played, url) ?? { status: 404, body: {} };
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const played: ExchangeServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    asked,
    markets: {},
    refuse: () => undefined,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        http.closeAllConnections();
        http.close(() => resolve());
      }),
  };
  return played;
}

const rowsOf = (bars: Bars): number[] => [...bars.openTime.keys()];

/**
 * Binance's klines as documented (https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints):
 * ascending from `startTime`, inclusive, from the market's first candle where that is later; 500 by default, 1000 at
 * most; prices as text; the candle that is being formed comes last; errors with `code` and `msg`.
 */
export const startBinance = (): Promise<ExchangeServer> =>
  start({ '/api/v3/klines': klines, '/api/v3/exchangeInfo': exchangeInfo });

function klines({ markets }: ExchangeServer, url: URL): ExchangeAnswer {
  const bars = markets[url.searchParams.get('symbol') ?? ''];
  if (!bars) return { status: 400, body: { code: -1121, msg: 'Invalid symbol.' } };
  const from = Number(url.searchParams.get('startTime') ?? 0);
  const limit = Math.min(1000, Number(url.searchParams.get('limit') ?? 500));
  const step = TIMEFRAME_MS[bars.timeframe];
  const body = rowsOf(bars)
    .filter((i) => bars.openTime[i]! >= from)
    .slice(0, limit)
    .map((i) => [
      bars.openTime[i]!,
      ...[bars.open, bars.high, bars.low, bars.close, bars.volume].map((c) => String(c[i])),
      bars.openTime[i]! + step - 1,
      ...[String(bars.value[i]), 100, '1.0', '1.0', '0'],
    ]);
  return { status: 200, body };
}

function exchangeInfo({ markets }: ExchangeServer): ExchangeAnswer {
  const symbols = Object.keys(markets).map((symbol) => ({
    ...{ symbol, status: 'TRADING', baseAsset: symbol.slice(0, -4), quoteAsset: symbol.slice(-4) },
    ...{ baseAssetPrecision: 8, quotePrecision: 8, quoteAssetPrecision: 8, orderTypes: ['LIMIT'] },
    ...{ isSpotTradingAllowed: true, isMarginTradingAllowed: false, permissions: ['SPOT'] },
    ...{ permissionSets: [['SPOT']], filters: [] },
  }));
  return { status: 200, body: { timezone: 'UTC', rateLimits: [], exchangeFilters: [], symbols } };
}

/** Candles that Kraken keeps, whatever `since` says. */
const KRAKEN_KEEPS = 720;

/**
 * Kraken's OHLC as documented (https://docs.kraken.com/api/docs/rest-api/get-ohlc-data): the newest 720 candles later than
 * `since` (seconds, exclusive), a candle with volume 0 where nobody traded, the last one not committed yet, times in
 * seconds, errors in a 200 answer.
 */
export const startKraken = (): Promise<ExchangeServer> => start({ '/0/public/OHLC': ohlc });

function ohlc({ markets }: ExchangeServer, url: URL): ExchangeAnswer {
  const pair = url.searchParams.get('pair') ?? '';
  const bars = markets[pair];
  if (!bars) return { status: 200, body: { error: ['EQuery:Unknown asset pair'] } };
  const since = Number(url.searchParams.get('since') ?? 0);
  const rows = rowsOf(bars)
    .slice(-KRAKEN_KEEPS)
    .filter((i) => bars.openTime[i]! / 1000 > since)
    .map((i) => [
      bars.openTime[i]! / 1000,
      ...[bars.open, bars.high, bars.low, bars.close].map((c) => String(c[i])),
      ...[String(bars.close[i]), String(bars.volume[i]), 12],
    ]);
  const last = bars.openTime.at(-2)! / 1000;
  return { status: 200, body: { error: [], result: { [pair]: rows, last } } };
}
