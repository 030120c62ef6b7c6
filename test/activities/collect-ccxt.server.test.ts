import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { NamedDataset } from '../../activities/deps.ts';
import { barsBetween, mapColumns, type Bars } from '../../core/bars/index.ts';
import { readBars } from '../../registry/datasets.impl.ts';
import { openCollectFixture, type CollectFixture } from '../support/collect-fixture.ts';
import { startBinance } from '../support/exchange-server.ts';
import { walkBars } from '../support/made-bars.ts';

const HOUR_MS = 3_600_000;
const FIRST = Date.parse('2024-02-01T00:00:00Z');
/** 700 hours: a price set by the exchange before its launch, then a market; the last hour is being formed. */
const truth: Bars = (() => {
  const walk = walkBars(700, { timeframe: '1h', from: '2024-02-01T00:00:00Z' });
  return mapColumns(walk, (column, name) =>
    column.map((x, i) => (i < 4 ? (name === 'volume' || name === 'value' ? 0 : 13_000) : x)),
  );
})();

let fixture: CollectFixture;
before(async () => {
  fixture = await openCollectFixture();
});
after(() => fixture.close());

test('through ccxt: the launch is trimmed and told, what is not closed waits, a top-up asks for little', async () => {
  await using server = await startBinance();
  server.markets = { BTCUSDT: truth };
  const dataset: NamedDataset = {
    ...{ name: 'binance-hourly', source: 'ccxt', calendar: '24x7' },
    params: {
      ...{ exchange: 'binance', baseUrl: server.url, start: '2024-01-30', pageBars: 250 },
      markets: { 'BTC-USDT': { symbol: 'BTC/USDT', id: 'BTCUSDT' } },
    },
    hosts: [new URL(server.url).host],
  };
  const setup = { datasets: [dataset], now: FIRST + 650 * HOUR_MS + 600_000 };
  const deps = fixture.depsOf(setup);
  const sources = [{ dataset: 'binance-hourly' }];
  const data = { sources, instruments: ['BTC-USDT'], timeframe: '1h', recollect: true };
  const collect = async () => (await fixture.run(deps, data)).collected[0]!;

  const first = await collect();
  const bars = await readBars(deps.artifacts, first.bars);
  const closed = barsBetween(truth, FIRST + 4 * HOUR_MS, FIRST + 650 * HOUR_MS);
  assert.deepEqual(bars.openTime, closed.openTime);
  assert.deepEqual(bars.close, closed.close);
  assert.equal(bars.valueDerived, true, 'ccxt has no traded value');
  assert.match(first.findings![0]!.message, /first 4 bars of binance-hourly were launch artefacts/);
  assert.equal(first.deliveredBy, 'binance-hourly');

  const asked = server.asked.length;
  setup.now += 30 * HOUR_MS;
  const later = await readBars(deps.artifacts, (await collect()).bars);
  assert.equal(later.openTime.at(-1), FIRST + 679 * HOUR_MS);
  assert.equal(later.openTime.length, closed.openTime.length + 30);
  assert.ok(server.asked.length - asked <= 2, `${server.asked.length - asked} requests`);
  const since = Number(server.asked.at(asked)!.searchParams.get('startTime'));
  assert.ok(since > FIRST + 600 * HOUR_MS, 'from the end of what is stored');
});
