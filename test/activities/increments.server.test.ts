import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gatherSource, type Gathered } from '../../activities/collect-source.ts';
import type { NamedDataset } from '../../activities/deps.ts';
import {
  barsBetween,
  BAR_COLUMNS,
  mapColumns,
  sliceBars,
  takeBars,
  type Bars,
} from '../../core/bars/index.ts';
import { readStoredBars } from '../../registry/bars.ts';
import { listCollections, seriesSource } from '../../registry/collections.ts';
import { readBars } from '../../registry/datasets.impl.ts';
import { openCollectFixture, type CollectFixture } from '../support/collect-fixture.ts';
import { walkBars } from '../support/made-bars.ts';
import { startUpbitServer, type UpbitServer } from '../support/upbit-server.ts';

const HOUR_MS = 3_600_000;
/** 1,400 hours with a maintenance of five hours and two days in which nobody traded. */
const truth: Bars = (() => {
  const bars = walkBars(1_400, { timeframe: '1h', from: '2024-03-01T00:00:00Z' });
  const kept = [...bars.openTime.keys()].filter(
    (i) => !(i >= 300 && i < 305) && !(i >= 700 && i < 748),
  );
  return { ...takeBars(bars, kept), valueDerived: false };
})();
const at = (row: number): number => truth.openTime[row]!;

let fixture: CollectFixture;
before(async () => {
  fixture = await openCollectFixture();
});
after(() => fixture.close());

let markets = 0;
interface Scene {
  readonly server: UpbitServer;
  readonly setup: { readonly datasets: readonly NamedDataset[]; now: number };
  /** Collects, at `now` where it is given. */
  gather(now?: number, signal?: AbortSignal): Promise<Gathered>;
  stored(): Promise<{ bars: Bars; revision: Int32Array }>;
}

/** A market of its own on a played exchange. */
async function scene(server: UpbitServer, params: object = {}): Promise<Scene> {
  const instrument = `KRW-M${++markets}`;
  server.markets = { [instrument]: { ...truth, instrument } };
  const dataset: NamedDataset = {
    ...{ name: 'exchange', source: 'upbit', calendar: '24x7' },
    params: { baseUrl: server.url, requestsPerSecond: 10, attempts: 1, pageBars: 150, ...params },
    hosts: [new URL(server.url).host],
  };
  const setup = { datasets: [dataset], now: at(999) + HOUR_MS + 90_000 };
  const deps = fixture.depsOf(setup);
  // The pace is kept in the time of the test.
  const fast = { ...deps, sourceContext: paced(deps.sourceContext, () => setup.now) };
  const use = { dataset: 'exchange', role: 'primary' as const };
  return {
    server,
    setup,
    gather: (now = setup.now, signal = new AbortController().signal) => {
      setup.now = now;
      return gatherSource(fast, { use, instrument, timeframe: '1h', recollect: true, signal });
    },
    stored: () =>
      readStoredBars(fixture.db, { instrument, timeframe: '1h', source: seriesSource(dataset) }),
  };
}

type ContextOf = ReturnType<CollectFixture['depsOf']>['sourceContext'];
const paced =
  (contextOf: ContextOf, now: () => number): ContextOf =>
  (dataset, signal) => {
    let slept = 0;
    const sleep = (ms: number): Promise<void> => {
      slept += ms;
      return Promise.resolve();
    };
    return { ...contextOf(dataset, signal), clock: () => now() + slept, sleep };
  };

function assertStored({ bars }: { bars: Bars }, expected: Bars): void {
  for (const column of ['openTime', ...BAR_COLUMNS] as const) {
    assert.deepEqual(bars[column], expected[column], column);
  }
  assert.equal(bars.valueDerived, false);
}

test('top-ups, one after the other: no bar is missing, none is there twice, little is asked for', async () => {
  await using server = await startUpbitServer({});
  const { gather, stored, setup } = await scene(server);
  const first = await gather();
  assert.deepEqual([first.status, first.rows], ['delivered', 1000]);
  // The hour that is being formed waits for its close and a minute of grace.
  const closed = barsBetween(truth, 0, setup.now - HOUR_MS);
  assertStored(await stored(), closed);
  for (const hours of [1, 2, 7, 150, 31]) {
    const before = server.asked.length;
    const { rows, state, notes } = await gather(setup.now + hours * HOUR_MS);
    const now = barsBetween(truth, 0, setup.now - HOUR_MS);
    assertStored(await stored(), now);
    assert.deepEqual([rows, state], [now.openTime.length, String(now.openTime.length)]);
    assert.match(notes.join(), new RegExp(`: ${hours} are new`));
    assert.ok(server.asked.length - before <= 2, `${server.asked.length - before} requests`);
  }
  const again = await gather();
  assert.match(again.notes.join(), /: 0 are new/);
  assert.ok((await stored()).revision.every((revision) => revision === 0));
});

test('a crash between two pages: the pages before it stay, the next attempt goes on from them', async () => {
  await using server = await startUpbitServer({});
  const { gather, stored, setup } = await scene(server);
  const crash = new AbortController();
  let pages = 0;
  server.refuse = ({ count }) => {
    if (count > 1 && ++pages === 4) crash.abort(new Error('the worker died'));
    return undefined;
  };
  await assert.rejects(gather(setup.now, crash.signal), /the worker died/);
  const prefix = (await stored()).bars;
  assert.ok(prefix.openTime.length > 300 && prefix.openTime.length < 600);
  assertStored({ bars: prefix }, sliceBars(truth, 0, prefix.openTime.length));
  const [interrupted] = await listCollections(fixture.db, prefix.instrument);
  assert.deepEqual(
    [interrupted!.status, interrupted!.error, interrupted!.new_rows],
    ['failed', 'interrupted', prefix.openTime.length],
  );
  const before = server.asked.length;
  await gather();
  assertStored(await stored(), sliceBars(truth, 0, 1000));
  assert.ok(server.asked.slice(before).every(({ to }) => to! > prefix.openTime.at(-48)!));
});

test('an exchange that fails half way: what it gave is kept, and the next attempt asks for the rest', async () => {
  await using server = await startUpbitServer({});
  const { gather, stored } = await scene(server);
  let pages = 0;
  server.refuse = ({ count }) =>
    count > 1 && ++pages > 2 ? { status: 500, body: 'down' } : undefined;
  const failed = await gather();
  assert.deepEqual(
    [failed.status, failed.progressed, failed.error?.permanent, failed.state],
    ['failed', true, false, undefined],
  );
  server.refuse = () => undefined;
  assert.equal((await gather()).status, 'delivered');
  assertStored(await stored(), sliceBars(truth, 0, 1000));
});

test('two at once: each bar once', async () => {
  await using server = await startUpbitServer({});
  const { gather, stored } = await scene(server);
  const [a, b] = await Promise.all([gather(), gather()]);
  assert.deepEqual([a.rows, b.rows], [1000, 1000]);
  assertStored(await stored(), sliceBars(truth, 0, 1000));
});

test('a corrected bar is a new revision, and said so', async () => {
  await using server = await startUpbitServer({});
  const { gather, stored, setup } = await scene(server);
  await gather();
  const instrument = Object.keys(server.markets)[0]!;
  const volume = truth.volume.with(990, 7);
  const close = truth.close.with(991, truth.close[991]! * 1.001);
  server.markets = { [instrument]: { ...truth, volume, close, instrument } };
  const { notes } = await gather(setup.now + HOUR_MS);
  assert.match(notes.join(), /1 are new.*2 bars corrected by exchange/);
  const { bars, revision } = await stored();
  assertStored({ bars }, sliceBars({ ...truth, volume, close }, 0, 1001));
  assert.deepEqual([revision[990], revision[991], revision[992]], [1, 1, 0]);
});

test('an exchange that changes its scale is asked for all history again', async () => {
  await using server = await startUpbitServer({});
  const { gather, stored, setup } = await scene(server);
  await gather();
  const instrument = Object.keys(server.markets)[0]!;
  const scaled = mapColumns(truth, (column, name) =>
    name === 'volume' || name === 'value' ? column : column.map((x) => x / 1000),
  );
  server.markets = { [instrument]: { ...scaled, instrument } };
  const { notes } = await gather(setup.now + HOUR_MS);
  assert.match(notes.join(), /changed its scale \(old prices = 1000\.000000 x new ones\)/);
  assertStored(await stored(), sliceBars(scaled, 0, 1001));
  // Noise is no scale: refused, and what is stored stays.
  const noise = walkBars(1_400, { timeframe: '1h', from: '2024-03-01T00:00:00Z', seed: 9 });
  server.markets = { [instrument]: { ...noise, instrument } };
  const refused = await gather(setup.now + HOUR_MS);
  assert.equal(refused.error?.code, 'source.splice');
  assertStored(await stored(), sliceBars(scaled, 0, 1001));
});

test('an exchange that cannot be reached fails at once; the alternative delivers, and the version says so', async () => {
  const away = await startUpbitServer({});
  const { setup } = await scene(away);
  await away[Symbol.asyncDispose]();
  await using backup = await startUpbitServer({ 'KRW-X': { ...truth, instrument: 'KRW-X' } });
  const other: NamedDataset = {
    ...{ name: 'backup', source: 'upbit', calendar: '24x7' },
    params: { baseUrl: backup.url, requestsPerSecond: 10, markets: { 'KRW-Y': 'KRW-X' } },
    hosts: [new URL(backup.url).host],
  };
  const datasets = [...setup.datasets, other];
  const sources = [{ dataset: 'exchange' }, { dataset: 'backup', role: 'fallback' }];
  const deps = fixture.depsOf({ datasets, now: setup.now });
  const data = { sources, instruments: ['KRW-Y'], timeframe: '1h', from: '2024-03-20' };
  const { collected } = await fixture.run(deps, data);
  assert.equal(collected[0]!.deliveredBy, 'backup');
  const bars = await readBars(deps.artifacts, collected[0]!.bars);
  assert.equal(bars.openTime[0], Date.parse('2024-03-20'));
  const rows = await listCollections(fixture.db, 'KRW-Y');
  assert.match(rows.map(({ error }) => error).join(), /cannot be reached: ECONNREFUSED/);
});
