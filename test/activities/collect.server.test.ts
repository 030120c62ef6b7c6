import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gatherSource, type GatherRequest } from '../../activities/collect-source.ts';
import type { ActivityDeps, NamedDataset } from '../../activities/deps.ts';
import { hashBars } from '../../core/bars/index.ts';
import type { QualityReport } from '../../core/quality/index.ts';
import { listCollections } from '../../registry/collections.ts';
import { readBars } from '../../registry/datasets.impl.ts';
import { recordUpload } from '../../registry/uploads.ts';
import { chartOf, startChartServer, type ChartAnswer } from '../support/chart-server.ts';
import {
  chart,
  COLLECT_NOW as NOW,
  june,
  openCollectFixture,
  type Collected,
  type CollectFixture,
  type CollectSetup,
  type SpecData,
} from '../support/collect-fixture.ts';
import { dataFile, indexBars } from '../support/lab-data.ts';

let fixture: CollectFixture;
before(async () => {
  fixture = await openCollectFixture();
});
after(() => fixture.close());

const depsOf = (setup?: CollectSetup): ActivityDeps => fixture.depsOf(setup);
const run = (
  deps: ActivityDeps,
  data: SpecData,
  change?: Record<string, unknown>,
): Promise<Collected> => fixture.run(deps, data, change);

async function eventsOf(id: string, kind: string) {
  return fixture.db
    .selectFrom('experiment_event')
    .select(['payload', 'stage'])
    .where('experiment_id', '=', id)
    .where('kind', '=', kind)
    .orderBy('seq')
    .execute();
}

test('bundled index bars: frozen as they are, validated, and the second time no step runs', async () => {
  const deps = depsOf();
  const data = { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC', '^IXIC'] };
  const { id, collected, validation } = await run(deps, data);
  const [gspc] = collected;
  const expected = hashBars({ ...indexBars('sp500'), instrument: '^GSPC' });
  assert.deepEqual(
    [gspc!.datasetHash, gspc!.firstBar, gspc!.lastBar, gspc!.deliveredBy, gspc!.cached],
    [expected, '1999-01-04', '2018-12-31', 'index-daily', false],
  );
  const verdict = await validation();
  assert.deepEqual([verdict.passed, verdict.reasons, verdict.cached], [true, [], false]);
  const reports = JSON.parse(
    Buffer.from(await deps.artifacts.get(verdict.reports)).toString(),
  ) as QualityReport[];
  assert.deepEqual(
    reports.map((r) => r.instrument),
    ['^GSPC', '^IXIC'],
  );
  const findings = await eventsOf(id, 'finding');
  const zero = findings.find((e) => e.payload['rule'] === 'zero-volume')!.payload;
  assert.deepEqual(zero['rows'], ['2015-05-12', '2018-01-09']);

  const again = await run(deps, data);
  assert.deepEqual(
    again.collected,
    collected.map((c) => ({ ...c, cached: true })),
  );
  assert.equal((await again.validation()).cached, true);
  assert.equal((await eventsOf(again.id, 'finding')).length, findings.length, 'told again');
  assert.equal((await listCollections(fixture.db, '^GSPC')).length, 1, 'nothing was fetched again');
});

test('strict: a warning stops the run and says why', async () => {
  const data = { sources: [{ dataset: 'nasdaq-daily' }], instruments: ['^IXIC'] };
  const { validation } = await run(depsOf(), data, { quality: { strict: true } });
  const { passed, reasons } = await validation();
  assert.equal(passed, false);
  assert.match(reasons[0]!, /^\^IXIC: zero-volume: 2 bars with volume 0/);
});

test('Lean stocks: factors applied as of the last bar; GOOG blocked before its split, fine after', async () => {
  const sources = [{ dataset: 'us-stocks-lean' }];
  const bad = await run(depsOf(), { sources, instruments: ['AAPL', 'GOOG'] });
  const verdict = await bad.validation();
  assert.equal(verdict.passed, false);
  assert.equal(verdict.reasons.length, 1);
  assert.match(
    verdict.reasons[0]!,
    /^GOOG: split-like: 1 overnight move .*set from: 2014-04-03 or later/,
  );
  assert.deepEqual(verdict.failed, [{ instrument: 'GOOG', reason: verdict.reasons[0] }]);
  const good = await run(depsOf(), {
    sources,
    instruments: ['AAPL', { id: 'GOOG', from: '2014-04-03' }],
  });
  assert.deepEqual((await good.validation()).reasons, []);
  assert.equal(good.collected[1]!.firstBar, '2014-04-03');
  const aapl = await readBars(
    depsOf().artifacts,
    good.collected[0]!.bars,
    good.collected[0]!.datasetHash,
  );
  assert.equal(aapl.close.at(-1), 122.15, 'the newest price is as traded');
});

test('a range cuts the dataset, both ends included', async () => {
  const data = { sources: [{ dataset: 'sp500-daily' }], from: '2001-09-10', to: '2001-09-17' };
  const { collected } = await run(depsOf(), data);
  assert.deepEqual(
    [collected[0]!.firstBar, collected[0]!.lastBar, collected[0]!.bars.rows],
    ['2001-09-10', '2001-09-17', 2],
  );
  await assert.rejects(run(depsOf(), { ...data, from: '2030-01-01', to: '2031-01-01' }), {
    code: 'collect.noBars',
    message: /^no bars of \^GSPC in 2030-01-01\.\.2031-01-01;/,
  });
});

test('a failing primary does not fail the rest: the fallback delivers, and the record says so', async () => {
  await using server = await startChartServer([{ status: 500, body: 'down' }]);
  const datasets = [chart('vendor-down', server)];
  const sources = [{ dataset: 'vendor-down' }, { dataset: 'sp500-daily', role: 'fallback' }];
  const { id, collected } = await run(depsOf({ datasets }), { sources });
  assert.equal(collected[0]!.deliveredBy, 'sp500-daily');
  const [event] = (await eventsOf(id, 'stage')).filter((e) => e.stage === 'collect');
  const told = event!.payload['sources'] as { status: string; error?: string }[];
  assert.deepEqual(
    told.map((s) => s.status),
    ['failed', 'delivered'],
  );
  assert.match(told[0]!.error!, /answered 500 to 1 requests/);
  const rows = await listCollections(fixture.db, '^GSPC');
  assert.ok(rows.some((r) => r.dataset === 'vendor-down' && r.status === 'failed' && r.error));
});

test('the fallback fills what the primary lacks, and both are named', async () => {
  const body = chartOf(june.filter((_, i) => i !== 2));
  await using lacking = await startChartServer([{ body }]);
  await using whole = await startChartServer([
    { body: chartOf(june.map((r) => ({ ...r, close: r.close + 50 }))) },
  ]);
  const datasets = [chart('lacking', lacking), chart('whole', whole)];
  const sources = [{ dataset: 'lacking' }, { dataset: 'whole', role: 'fallback' }];
  const deps = depsOf({ datasets });
  const { collected } = await run(deps, { sources });
  assert.equal(collected[0]!.deliveredBy, 'lacking (4), whole (1)');
  const bars = await readBars(deps.artifacts, collected[0]!.bars);
  assert.deepEqual([...bars.close], [100, 101, 152, 103, 104]);
});

test('nobody delivers: one sentence with every reason, retried only where that may help', async () => {
  await using down = await startChartServer([{ status: 503, body: '' }]);
  const deps = depsOf({ datasets: [chart('down', down)] });
  await assert.rejects(run(deps, { sources: [{ dataset: 'down' }] }), {
    code: 'collect.noBars',
    permanent: false,
    message: /no bars of \^GSPC; down: 127\.0\.0\.1:\d+ answered 503/,
  });
  await assert.rejects(
    run(deps, { sources: [{ dataset: 'sp500-daily' }], instruments: ['AAPL'] }),
    {
      code: 'collect.noBars',
      permanent: true,
      message: /dataset sp500-daily has no AAPL; it has: \^GSPC/,
    },
  );
  await assert.rejects(run(deps, { sources: [{ dataset: 'sp501-daily' }] }), {
    code: 'dataset.unknown',
    message: /no dataset "sp501-daily"; there are: sp500-daily/,
  });
});

test('a source that never answers is given up after its time, whatever it waits for', async () => {
  await using silent = await startChartServer(() => ({
    body: '',
    headers: { 'content-length': '9' },
  }));
  const request: GatherRequest = {
    use: { dataset: 'silent', role: 'primary' },
    instrument: '^GSPC',
    timeframe: '1d',
    recollect: false,
    signal: new AbortController().signal,
    timeoutMs: 150,
  };
  const gathered = await gatherSource(depsOf({ datasets: [chart('silent', silent)] }), request);
  assert.deepEqual(
    [gathered.status, gathered.error?.code, gathered.error?.permanent],
    ['timeout', 'source.timeout', false],
  );
  // A cancel of the run is no time-out: it goes through.
  const cancelled = { ...request, signal: AbortSignal.abort(new Error('cancelled')) };
  await assert.rejects(
    gatherSource(depsOf({ datasets: [chart('silent', silent)] }), cancelled),
    /cancelled/,
  );
});

test('collected bars are fresh for 24 hours; recollect asks again; unchanged bars are the same dataset', async () => {
  await using server = await startChartServer([{ body: chartOf(june) }]);
  const setup: CollectSetup = { datasets: [chart('daily', server)], now: NOW };
  const deps = depsOf(setup);
  const data = { sources: [{ dataset: 'daily' }] };
  const first = (await run(deps, data)).collected[0]!;
  assert.equal((await run(deps, data)).collected[0]!.cached, true);
  assert.equal(server.asked.length, 1);
  const recollected = (await run(deps, { ...data, recollect: true })).collected[0]!;
  assert.deepEqual(
    [server.asked.length, recollected.cached],
    [2, true],
    'asked, but nothing changed',
  );
  assert.equal(recollected.datasetHash, first.datasetHash);
  setup.now = NOW + 86_400_001;
  await run(deps, data);
  assert.equal(server.asked.length, 3);
});

test('a correction by the source is a new dataset version', async () => {
  let answer: ChartAnswer = { body: chartOf(june) };
  await using server = await startChartServer(() => answer);
  const deps = depsOf({ datasets: [chart('corrected', server)] });
  const data = { sources: [{ dataset: 'corrected' }], recollect: true };
  const before = (await run(deps, data)).collected[0]!;
  answer = { body: chartOf(june.map((r, i) => (i === 1 ? { ...r, close: 101.5 } : r))) };
  const later = (await run(deps, data)).collected[0]!;
  assert.notEqual(later.datasetHash, before.datasetHash);
  assert.equal((await readBars(deps.artifacts, later.bars)).close[1], 101.5);
  assert.equal(
    (await readBars(deps.artifacts, before.bars)).close[1],
    101,
    'the old version stays',
  );
});

test('a planted provisional bar is left out, and said so', async () => {
  await using server = await startChartServer([{ body: chartOf(june) }]);
  const during = Date.parse('2024-06-28T15:00:00Z');
  const deps = depsOf({ datasets: [chart('during', server)], now: during });
  const { collected, id, validation } = await run(deps, { sources: [{ dataset: 'during' }] });
  assert.equal(collected[0]!.lastBar, '2024-06-27');
  const [event] = (await eventsOf(id, 'stage')).filter((e) => e.stage === 'collect');
  assert.match(JSON.stringify(event!.payload), /1 bars that had not closed yet left out/);
  assert.equal((await validation()).passed, true);
});

test('newer bars on another scale are refused, never appended', async () => {
  let answer: ChartAnswer = { body: chartOf(june) };
  await using server = await startChartServer(() => answer);
  const deps = depsOf({ datasets: [chart('spliced', server)] });
  const data = { sources: [{ dataset: 'spliced' }], recollect: true };
  await run(deps, data);
  answer = { body: chartOf(june.slice(2).map((r) => ({ ...r, close: r.close * 0.98 }))) };
  await assert.rejects(run(deps, data), {
    code: 'collect.noBars',
    message: /delivered only its newer bars/,
  });
});

test('an uploaded file is a dataset by its hash; its bytes are all it can reach', async () => {
  const deps = depsOf();
  const bytes = dataFile('index-arch/sp500.csv.gz');
  const { sha256, uri } = await deps.artifacts.put(bytes);
  await recordUpload(deps.db, {
    sha256,
    fileName: 'mine.csv.gz',
    bytes: bytes.length,
    artifactUri: uri,
    actor: 'key-1',
  });
  const { collected, validation } = await run(deps, {
    sources: [{ dataset: `upload:${sha256}` }],
  });
  assert.equal(collected[0]!.bars.rows, 5031);
  assert.equal((await validation()).passed, true);
  await assert.rejects(run(deps, { sources: [{ dataset: `upload:${'0'.repeat(64)}` }] }), {
    code: 'upload.unknown',
  });
});

test('a file that cannot be read names its line', async () => {
  await writeFile(
    join(fixture.folder, '^GSPC.csv'),
    'date,open,high,low,close,volume\n2020-01-02,1,2,1,x,5\n',
  );
  const dataset: NamedDataset = {
    name: 'broken-file',
    source: 'csv',
    params: {},
    hosts: [],
    root: fixture.folder,
    calendar: 'nyse',
  };
  await assert.rejects(
    run(depsOf({ datasets: [dataset] }), { sources: [{ dataset: 'broken-file' }] }),
    {
      permanent: true,
      message: /broken-file: \^GSPC\.csv, line 2: close is not a number: "x"/,
    },
  );
});
