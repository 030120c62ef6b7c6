/** The exchange, else the operator's folder, else simulated bars: who delivered, and what says so. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { NamedDataset } from '../../activities/deps.ts';
import { barCount, sliceBars, takeBars, type Bars } from '../../core/bars/index.ts';
import { loadDatasets } from '../../infra/datasets.ts';
import { listDatasetVersions } from '../../registry/dataset-versions.ts';
import { readBars } from '../../registry/datasets.impl.ts';
import { wordsOf } from '../../api/cli/progress-words.ts';
import { openCollectFixture, type CollectFixture } from '../support/collect-fixture.ts';
import { walkBars } from '../support/made-bars.ts';
import { startUpbitServer, type UpbitServer } from '../support/upbit-server.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.parse('2024-03-01T00:00:00Z');
/** February 2024. */
const truth: Bars = walkBars(29 * 24, { timeframe: '1h', from: '2024-02-01T00:00:00Z' });
const sources = [
  { dataset: 'upbit-hourly' },
  { dataset: 'upbit-hourly-folder', role: 'fallback' },
  { dataset: 'upbit-hourly-simulated', role: 'substitute' },
];

let fixture: CollectFixture;
before(async () => {
  fixture = await openCollectFixture();
  await mkdir(join(fixture.folder, 'data', 'crypto-upbit'), { recursive: true });
  await writeBars('KRW-FILE', truth);
  await writeBars('KRW-HEADER', sliceBars(truth, 0, 0));
});
after(() => fixture.close());

async function writeBars(instrument: string, bars: Bars): Promise<void> {
  const rows = Array.from(bars.openTime, (t, i) =>
    [
      new Date(t).toISOString().slice(0, 19).replace('T', ' '),
      ...[bars.open, bars.high, bars.low, bars.close, bars.volume].map((column) => column[i]),
    ].join(','),
  );
  const text = ['timestamp,open,high,low,close,volume', ...rows, ''].join('\n');
  const file = join(fixture.folder, 'data', 'crypto-upbit', `${instrument}.1h.csv.gz`);
  await writeFile(file, gzipSync(text));
}

/** The bundled datasets of an operator with a data folder, and an exchange of ours. */
async function datasetsOf(server: UpbitServer, dataDir: string | undefined) {
  const bundled = await loadDatasets({ dataDir }, undefined);
  const exchange = bundled.get('upbit-hourly')!;
  const played: NamedDataset = {
    ...exchange,
    params: { baseUrl: server.url, requestsPerSecond: 10, attempts: 1 },
    hosts: [new URL(server.url).host],
  };
  return [...bundled.values()].map((dataset) => (dataset === exchange ? played : dataset));
}

async function collect(server: UpbitServer, instrument: string, dataDir?: string) {
  const datasets = await datasetsOf(server, dataDir);
  const deps = fixture.depsOf({ datasets, now: NOW + HOUR_MS });
  const data = { sources, instruments: [instrument], timeframe: '1h', to: '2024-02-29' };
  const { id, collected } = await fixture.run(deps, data);
  const event = await fixture.db
    .selectFrom('experiment_event')
    .select('payload')
    .where('experiment_id', '=', id)
    .where('stage', '=', 'collect')
    .executeTakeFirstOrThrow();
  const filter = { hash: collected[0]!.datasetHash, limit: 5 };
  const [version] = await listDatasetVersions(fixture.db, filter);
  const bars = await readBars(deps.artifacts, collected[0]!.bars);
  return {
    bars,
    deliveredBy: collected[0]!.deliveredBy,
    version: version!,
    told: wordsOf('collect', event.payload),
    payload: event.payload,
  };
}
const folder = (): string => join(fixture.folder, 'data');
const down = { status: 503, body: 'maintenance' };

test('the exchange delivers, the folder fills its maintenance, and each bar has a source on record', async () => {
  const kept = [...truth.openTime.keys()].filter((i) => i < 100 || i >= 106);
  await using server = await startUpbitServer({ 'KRW-FILE': takeBars(truth, kept) });
  const { bars, deliveredBy, version, payload, told } = await collect(server, 'KRW-FILE', folder());
  assert.deepEqual(bars.close, truth.close);
  assert.equal(deliveredBy, 'upbit-hourly (690), upbit-hourly-folder (6)');
  assert.deepEqual(version.deliveries, [
    {
      ...{ dataset: 'upbit-hourly', role: 'primary', rows: 690, moreRanges: 0 },
      ranges: [
        { from: '2024-02-01', to: '2024-02-05T03:00:00Z', rows: 100 },
        { from: '2024-02-05T10:00:00Z', to: '2024-02-29T23:00:00Z', rows: 590 },
      ],
    },
    {
      ...{ dataset: 'upbit-hourly-folder', role: 'fallback', rows: 6, moreRanges: 0 },
      ranges: [{ from: '2024-02-05T04:00:00Z', to: '2024-02-05T09:00:00Z', rows: 6 }],
    },
  ]);
  assert.deepEqual(payload['deliveries'], version.deliveries);
  assert.match(
    told,
    /^KRW-FILE: 696 bars, .* from upbit-hourly \(690\), upbit-hourly-folder \(6\)/,
  );
});

test('an outage: what the exchange delivered before is used, and no simulated bar', async () => {
  await using server = await startUpbitServer({ 'KRW-SOME': sliceBars(truth, 0, 600) });
  assert.equal(barCount((await collect(server, 'KRW-SOME')).bars), 600);
  server.refuse = () => down;
  // The next attempt, a day later, meets the outage.
  await fixture.db
    .updateTable('collection')
    .set({ finished_at: new Date(NOW - 2 * 86_400_000) })
    .where('instrument', '=', 'KRW-SOME')
    .execute();
  const { deliveredBy, told, bars } = await collect(server, 'KRW-SOME');
  assert.deepEqual([deliveredBy, barCount(bars)], ['upbit-hourly', 600]);
  assert.match(told, /answered 503 to 1 requests \(600 bars of earlier deliveries are used\)/);
  assert.match(told, /upbit-hourly-folder: RATCHET_DATA is not set/);
});

test('an exchange that is away: the folder delivers all', async () => {
  await using server = await startUpbitServer({});
  server.refuse = () => down;
  await writeBars('KRW-OWN', truth);
  const { bars, deliveredBy, told } = await collect(server, 'KRW-OWN', folder());
  assert.deepEqual([deliveredBy, barCount(bars)], ['upbit-hourly-folder', 696]);
  assert.match(told, /from upbit-hourly-folder; upbit-hourly: .* answered 503/);
});

for (const [what, instrument, dataDir, why] of [
  ['no folder', 'KRW-A', () => undefined, /upbit-hourly-folder: RATCHET_DATA is not set/],
  ['a folder without the file', 'KRW-B', folder, /upbit-hourly-folder: .*has no file KRW-B\.1h/],
  ['a file with a header only', 'KRW-HEADER', folder, /from upbit-hourly-simulated/],
] as const) {
  test(`neither exchange nor ${what}: simulated bars, called so, the same each time`, async () => {
    await using server = await startUpbitServer({});
    server.refuse = () => down;
    const { bars, deliveredBy, told, version } = await collect(server, instrument, dataDir());
    assert.equal(deliveredBy, 'upbit-hourly-simulated (simulated)');
    assert.match(told, why);
    assert.match(told, /from upbit-hourly-simulated \(simulated\); upbit-hourly: .* answered 503/);
    assert.deepEqual([bars.openTime[0], version.rows], [Date.parse('2022-01-01'), barCount(bars)]);
    assert.deepEqual(
      version.deliveries.map(({ role }) => role),
      ['substitute'],
    );
    assert.equal((await collect(server, instrument, dataDir())).version.hash, version.hash);
  });
}
