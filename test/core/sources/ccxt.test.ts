import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NamedDataset } from '../../../activities/deps.ts';
import {
  concatBars,
  mapColumns,
  sliceBars,
  takeBars,
  type Bars,
} from '../../../core/bars/index.ts';
import { create } from '../../../core/sources/ccxt.impl.ts';
import { ccxtParams } from '../../../core/sources/ccxt.ts';
import type { BarPage, SourceContext } from '../../../core/sources/source.ts';
import { createSourceContext } from '../../../workers/source-context.ts';
import { startBinance, startKraken, type ExchangeServer } from '../../support/exchange-server.ts';
import { walkBars } from '../../support/made-bars.ts';

const HOUR_MS = 3_600_000;
/** 900 hours with a maintenance of seven. */
const truth: Bars = (() => {
  const bars = walkBars(907, { timeframe: '1h', from: '2024-02-01T00:00:00Z' });
  const kept = [...bars.openTime.keys()].filter((i) => i < 400 || i >= 407);
  return takeBars({ ...bars, instrument: 'BTC-USDT' }, kept);
})();
const END = truth.openTime.at(-1)! + HOUR_MS;
const columns = ['openTime', 'open', 'high', 'low', 'close', 'volume'] as const;

interface Setup {
  readonly params?: object;
  readonly from?: number;
  readonly to?: number;
  readonly cursor?: string;
  readonly instrument?: string;
  readonly ctx?: SourceContext;
}

/** The context of a worker: what an operator did not name cannot be reached. */
function contextOf(server: ExchangeServer, hosts = [new URL(server.url).host]): SourceContext {
  const dataset: NamedDataset = {
    ...{ name: 'exchange', source: 'ccxt', params: {}, calendar: '24x7', hosts },
  };
  const ctx = createSourceContext(dataset, new AbortController().signal);
  return { ...ctx, sleep: () => Promise.resolve() };
}

async function pagesOf(server: ExchangeServer, setup: Setup = {}): Promise<BarPage[]> {
  const params = ccxtParams.parse({
    ...{ baseUrl: server.url, pageBars: 200, start: '2024-01-25' },
    ...setup.params,
  });
  const source = create(params);
  const { instrument = 'BTC-USDT', from = 0, to = END } = setup;
  const request = { instrument, timeframe: '1h' as const, from, to };
  const pages: BarPage[] = [];
  const ctx = setup.ctx ?? contextOf(server);
  for await (const page of source.fetch(request, setup.cursor, ctx)) pages.push(page);
  return pages;
}
const joined = (pages: readonly BarPage[]): Bars => concatBars(pages.map(({ bars }) => bars));

function assertSame(bars: Bars, expected: Bars): void {
  for (const column of columns) assert.deepEqual(bars[column], expected[column], column);
}
const binance = { markets: { 'BTC-USDT': { symbol: 'BTC/USDT', id: 'BTCUSDT' } } };
const kraken = {
  exchange: 'kraken',
  markets: { 'BTC-USDT': { symbol: 'BTC/USD', id: 'XXBTZUSD' } },
};

test('Binance: all history from the first candle on, holes stay, every digit arrives; cursors resume', async () => {
  await using server = await startBinance();
  server.markets = { BTCUSDT: truth };
  const pages = await pagesOf(server, { params: binance });
  assertSame(joined(pages), truth);
  assert.ok(server.asked.every(({ pathname }) => pathname === '/api/v3/klines'));
  assert.ok(pages.length >= 4 && pages.slice(0, -1).every(({ cursor }) => cursor !== undefined));
  const rest = await pagesOf(server, { params: binance, cursor: pages[1]!.cursor! });
  assert.deepEqual(joined(rest).openTime, joined(pages.slice(2)).openTime);
  const before = server.asked.length;
  const newer = await pagesOf(server, { params: binance, from: truth.openTime.at(-48)! });
  assert.deepEqual(joined(newer).openTime, truth.openTime.slice(-48));
  assert.equal(server.asked.length, before + 1);
});

test('Binance without an id of the market: all its markets are asked for, those of the spot market here', async () => {
  await using server = await startBinance();
  server.markets = { BTCUSDT: truth };
  const options = { fetchMarkets: { types: ['spot'] }, fetchMargins: false };
  assertSame(joined(await pagesOf(server, { params: { options } })), truth);
  assert.equal(server.asked[0]!.pathname, '/api/v3/exchangeInfo');
});

test('Binance: launch artefacts and the candle being formed come as they are; candles without prices do not', async () => {
  await using server = await startBinance();
  const flat = mapColumns(truth, (column, name) =>
    column.map((x, i) => (i < 3 ? (name === 'volume' ? 0 : 13_000) : x)),
  );
  const broken = { ...flat, open: flat.open.with(50, 0) };
  server.markets = { BTCUSDT: broken };
  const pages = await pagesOf(server, { params: binance, to: END - HOUR_MS + 600_000 });
  const bars = joined(pages);
  assert.deepEqual([...bars.close.subarray(0, 3)], [13_000, 13_000, 13_000]);
  assert.equal(bars.openTime.at(-1), END - HOUR_MS);
  assert.deepEqual(
    pages.flatMap(({ notes = [] }) => notes),
    ['1 candles without prices left out'],
  );
  assert.equal(bars.openTime.length, truth.openTime.length - 1);
});

test('Kraken: `since` is exclusive, only 720 candles are kept, and a stretch without any is passed over', async () => {
  await using server = await startKraken();
  server.markets = { XXBTZUSD: truth };
  const bars = joined(await pagesOf(server, { params: kraken }));
  assertSame(bars, sliceBars(truth, truth.openTime.length - 720));
  const from = truth.openTime.at(-20)!;
  const newer = joined(await pagesOf(server, { params: kraken, from }));
  assert.equal(newer.openTime[0], from);
  assert.ok(server.asked.every(({ pathname }) => pathname === '/0/public/OHLC'));
});

test('the exchange knows no such market; ccxt knows no such exchange, or it has no such candles', async () => {
  await using server = await startBinance();
  await assert.rejects(pagesOf(server, { params: binance }), {
    ...{ code: 'source.instrument', permanent: true, message: /Invalid symbol/ },
  });
  await using other = await startKraken();
  await assert.rejects(pagesOf(other, { params: kraken }), { permanent: true });
  await assert.rejects(pagesOf(server, { params: { exchange: 'nosuchexchange' } }), {
    ...{ code: 'source.exchange', message: /no exchange "nosuchexchange"/ },
  });
  assert.throws(() => ccxtParams.parse({ exchange: '../base/Exchange' }), /id of an exchange/);
});

test('429 and 503: asked again after pauses; for ever: an error that passes', async () => {
  await using server = await startBinance();
  server.markets = { BTCUSDT: truth };
  const limited = { status: 429, body: { code: -1003, msg: 'Too many requests' } };
  server.refuse = (_, nth) => (nth < 2 ? limited : undefined);
  const range = { params: binance, from: truth.openTime.at(-9)! };
  assert.equal(joined(await pagesOf(server, range)).openTime.length, 9);
  server.refuse = () => limited;
  await assert.rejects(pagesOf(server, range), { code: 'source.rateLimited', permanent: false });
  server.refuse = () => ({ status: 503, body: '<html>maintenance</html>' });
  await assert.rejects(pagesOf(server, range), { permanent: false });
});

test('nothing but the hosts of the dataset is reached, whatever ccxt would ask', async () => {
  await using server = await startBinance();
  server.markets = { BTCUSDT: truth };
  const elsewhere = { ...binance, baseUrl: undefined };
  await assert.rejects(pagesOf(server, { params: elsewhere }), {
    ...{ code: 'source.not-allowed', message: /may not reach host api\.binance\.com/ },
  });
  // Its markets of derivatives stand on other hosts.
  await assert.rejects(pagesOf(server, { params: { baseUrl: undefined } }), {
    code: 'source.not-allowed',
  });
  const ctx = contextOf(server, []);
  await assert.rejects(pagesOf(server, { params: binance, ctx }), { code: 'source.not-allowed' });
  assert.equal(server.asked.length, 0);
});

test('an exchange that is away fails at once; a cancelled fetch ends', async () => {
  const server = await startBinance();
  const away = { url: server.url };
  await server[Symbol.asyncDispose]();
  await assert.rejects(pagesOf({ ...server, ...away }, { params: binance }), {
    ...{ code: 'source.unreachable', permanent: false },
  });
  const signal = AbortSignal.abort(new Error('stop'));
  const ctx = { ...contextOf(server), signal };
  await assert.rejects(pagesOf(server, { params: binance, ctx }), /stop/);
});
