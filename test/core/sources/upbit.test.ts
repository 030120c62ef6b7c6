import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBars, takeBars, type Bars, type Timeframe } from '../../../core/bars/index.ts';
import type { BarPage } from '../../../core/sources/source.ts';
import { create } from '../../../core/sources/upbit.impl.ts';
import { upbitParams } from '../../../core/sources/upbit.ts';
import { walkBars } from '../../support/made-bars.ts';
import { memoryContext } from '../../support/source-context.ts';
import { startUpbitServer, type UpbitServer } from '../../support/upbit-server.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.parse('2024-07-01T00:00:00Z');
/** 1,000 hours; a maintenance of five, and 250 in which nobody traded. */
const whole = walkBars(1_000, {
  timeframe: '1h',
  from: '2024-03-05T07:00:00Z',
  instrument: 'KRW-BTC',
});
const btc = withValue(
  takeBars(
    whole,
    [...whole.openTime.keys()].filter((i) => !(i >= 300 && i < 305) && !(i >= 400 && i < 650)),
  ),
);

function withValue(bars: Bars): Bars {
  return { ...bars, value: bars.value.map((v) => v * 1.01), valueDerived: false };
}

interface Setup {
  readonly params?: object;
  readonly from?: number;
  readonly to?: number;
  readonly cursor?: string;
  readonly instrument?: string;
  readonly timeframe?: Timeframe;
  readonly ctx?: ReturnType<typeof memoryContext>;
}

async function pagesOf(server: UpbitServer, setup: Setup = {}): Promise<BarPage[]> {
  const source = create(upbitParams.parse({ baseUrl: server.url, ...setup.params }));
  const request = {
    instrument: setup.instrument ?? 'KRW-BTC',
    timeframe: setup.timeframe ?? '1h',
    from: setup.from ?? 0,
    to: setup.to ?? NOW,
  };
  const pages: BarPage[] = [];
  const ctx = setup.ctx ?? memoryContext({}, { now: NOW });
  for await (const page of source.fetch(request, setup.cursor, ctx)) pages.push(page);
  return pages;
}
const joined = (pages: readonly BarPage[]): Bars => concatBars(pages.map(({ bars }) => bars));
const columns = ['openTime', 'open', 'high', 'low', 'close', 'volume', 'value'] as const;

function assertSame(bars: Bars, expected: Bars): void {
  for (const column of columns) assert.deepEqual(bars[column], expected[column], column);
  assert.equal(bars.valueDerived, false);
}

test('all history: the first candle is found, pages go forwards, holes stay, every bit arrives', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': btc });
  assertSame(joined(await pagesOf(server)), btc);
  const { asked } = server;
  assert.ok(asked.every(({ count, path }) => count <= 200 && path === '/v1/candles/minutes/60'));
  const probes = asked.filter(({ count }) => count === 1);
  assert.ok(probes.length <= 12, `${probes.length} requests for the first candle`);
  const pages = asked.slice(probes.length).map(({ to }) => to!);
  assert.deepEqual(
    pages,
    pages.toSorted((a, b) => a - b),
  );
  // From the page of the first candle on, none before it.
  assert.ok(pages[0]! - 200 * HOUR_MS <= btc.openTime[0]!);
});

test('an exchange that takes `to` as inclusive repeats candles: none is lost, none comes twice', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': btc });
  server.inclusive = true;
  assertSame(joined(await pagesOf(server)), btc);
});

test('a candle given twice in one answer counts once, its newer state', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': btc });
  const last = btc.openTime.length - 1;
  const doubled = takeBars(btc, [...btc.openTime.keys(), last]);
  server.markets = { 'KRW-BTC': { ...doubled, close: doubled.close.with(last, 1) } };
  const pages = await pagesOf(server);
  const bars = joined(pages);
  assert.deepEqual(bars.openTime, btc.openTime);
  assert.equal(bars.close.at(-1), btc.close.at(-1));
  assert.deepEqual(pages.at(-1)!.notes ?? pages.flatMap(({ notes = [] }) => notes), [
    '1 candles given twice',
  ]);
});

test('a cursor goes on after its page; a top-up asks for one page only', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': btc });
  const pages = await pagesOf(server);
  const rest = await pagesOf(server, { cursor: pages[1]!.cursor! });
  assert.deepEqual(joined(rest).openTime, joined(pages.slice(2)).openTime);
  const before = server.asked.length;
  const from = btc.openTime.at(-48)!;
  const newer = await pagesOf(server, { from, to: btc.openTime.at(-1)! + HOUR_MS });
  assert.deepEqual(joined(newer).openTime, btc.openTime.slice(-48));
  assert.equal(server.asked.length, before + 1);
});

test('the candle that is being formed comes as it is: whoever stores it waits for its close', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': btc });
  const forming = btc.openTime.at(-1)!;
  const bars = joined(await pagesOf(server, { from: forming - HOUR_MS, to: forming + 600_000 }));
  assert.equal(bars.openTime.at(-1), forming);
});

test('days begin at midnight UTC; a market of another name is asked for by its code', async () => {
  const days = withValue(walkBars(300, { timeframe: '1h', from: '2024-01-01T00:00:00Z' }));
  const openTime = days.openTime.map((_, i) => Date.parse('2023-06-01') + i * 86_400_000);
  await using server = await startUpbitServer({ 'KRW-ETH': { ...days, openTime } });
  const setup = { instrument: 'ETH', timeframe: '1d' as const };
  const bars = joined(await pagesOf(server, { ...setup, params: { markets: { ETH: 'KRW-ETH' } } }));
  assert.deepEqual(bars.openTime, openTime);
  assert.equal(bars.instrument, 'ETH');
  assert.equal(server.asked.at(-1)!.path, '/v1/candles/days');
});

test('a market without candles, or a range before the exchange: no bars, no error', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': takeBars(btc, []) });
  assert.equal(joined(await pagesOf(server)).openTime.length, 0);
  assert.equal(joined(await pagesOf(server, { to: Date.parse('2015-01-01') })).openTime.length, 0);
});

test('an unknown market, another shape, HTML: named, never empty bars', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': btc });
  await assert.rejects(pagesOf(server, { instrument: 'KRW-NONE' }), {
    ...{ code: 'source.instrument', permanent: true, message: /has no market KRW-NONE/ },
  });
  server.refuse = () => ({ status: 400, body: { error: { name: 400, message: 'invalid to' } } });
  await assert.rejects(pagesOf(server), { code: 'source.answer', message: /400 .*: invalid to/ });
  server.refuse = () => ({ status: 200, body: [{ market: 'KRW-BTC', opening_price: '1' }] });
  await assert.rejects(pagesOf(server), { code: 'source.answer', message: /candle_date_time_utc/ });
  server.refuse = () => ({ status: 200, body: '<html>maintenance</html>' });
  await assert.rejects(pagesOf(server), { code: 'source.answer', permanent: false });
});

test('requests keep their pace, and wait out a second that is used up', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': btc });
  const ctx = memoryContext({}, { now: NOW });
  const from = btc.openTime[0]!;
  const to = from + 5 * 199 * HOUR_MS;
  server.remaining = (nth) => (nth === 1 ? 0 : 5);
  await pagesOf(server, { ctx, from, to, params: { requestsPerSecond: 4 } });
  // The clock of the test stands still but for these waits.
  assert.deepEqual(ctx.waits, [250, 1000, 250, 250]);
});

test('429: pauses that double, then goes on; for ever: an error that passes', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': btc });
  const ctx = memoryContext({}, { now: NOW });
  const limited = { status: 429, body: { name: 'too_many_requests' } };
  server.refuse = (_, nth) => (nth < 2 ? limited : undefined);
  const range = { from: btc.openTime[0]!, to: btc.openTime[10]! };
  assert.equal(joined(await pagesOf(server, { ctx, ...range })).openTime.length, 10);
  assert.deepEqual(ctx.waits, [1000, 2000]);
  server.refuse = () => limited;
  await assert.rejects(pagesOf(server, { ctx, ...range }), {
    ...{ code: 'source.rateLimited', permanent: false, message: /429 to 5 requests; try again in/ },
  });
  server.refuse = () => ({ ...limited, headers: { 'retry-after': '3600' } });
  await assert.rejects(pagesOf(server, { ctx, ...range }), { code: 'source.rateLimited' });
  server.refuse = () => ({ status: 503, body: '' });
  await assert.rejects(pagesOf(server, { ctx, ...range }), { code: 'source.unavailable' });
});

for (const [words, seconds] of [
  ['Temporarily blocked. Retry after 130 seconds.', 130],
  ['요청이 제한되었습니다. 2분 10초 후 다시 시도해 주세요.', 130],
  ['', 60],
] as const) {
  test(`418 (${words || 'no words'}): nothing more is sent until the block ends`, async () => {
    await using server = await startUpbitServer({ 'KRW-BTC': btc });
    server.refuse = (_, nth) => (nth === 1 ? { status: 418, body: { message: words } } : undefined);
    const range = { from: btc.openTime[0]!, to: btc.openTime.at(-1)! };
    const message = new RegExp(`has blocked this address for ${seconds} s`);
    const refused = { code: 'source.blocked', permanent: true, message };
    await assert.rejects(pagesOf(server, range), refused);
    // Other markets share the address.
    await assert.rejects(pagesOf(server, { ...range, instrument: 'KRW-ETH' }), {
      code: 'source.blocked',
    });
    assert.equal(server.asked.length, 2);
    const later = memoryContext({}, { now: NOW + (seconds + 1) * 1000 });
    assert.ok((await pagesOf(server, { ...range, ctx: later })).length > 1);
  });
}

test('an exchange that cannot be reached is asked once; one that was there is asked again', async () => {
  const server = await startUpbitServer({ 'KRW-BTC': btc });
  const url = server.url;
  await server[Symbol.asyncDispose]();
  const ctx = memoryContext({}, { now: NOW });
  await assert.rejects(pagesOf({ ...server, url }, { ctx }), {
    ...{ code: 'source.unreachable', permanent: false, message: /cannot be reached: ECONNREFUSED/ },
  });
  assert.deepEqual(ctx.waits, []);
  await using alive = await startUpbitServer({ 'KRW-BTC': btc });
  let failures = 0;
  const flaky: ReturnType<typeof memoryContext> = {
    ...ctx,
    http: (to, init) =>
      alive.asked.length === 2 && failures++ < 2
        ? Promise.reject(new TypeError('fetch failed', { cause: new Error('read ECONNRESET') }))
        : fetch(to, init),
  };
  assertSame(joined(await pagesOf(alive, { ctx: flaky })), btc);
  assert.equal(failures, 3);
});

test('an answer that does not come is given up after its time, a cancelled fetch at once', async () => {
  await using server = await startUpbitServer({ 'KRW-BTC': btc });
  const ctx = memoryContext({}, { now: NOW });
  const silent: ReturnType<typeof memoryContext> = {
    ...ctx,
    http: (_, init) =>
      new Promise((_resolve, reject) => {
        const signal = init!.signal!;
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      }),
  };
  const slow = pagesOf(server, { ctx: silent, params: { timeoutMs: 100 } });
  await assert.rejects(slow, { code: 'source.unreachable', message: /no answer in time/ });
  const signal = AbortSignal.abort(new Error('stop'));
  await assert.rejects(pagesOf(server, { ctx: memoryContext({}, { now: NOW, signal }) }), /stop/);
});
