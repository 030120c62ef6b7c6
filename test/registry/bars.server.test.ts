import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hashBars, sliceBars, type Bars } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import {
  appendBars,
  appendFactors,
  readBarsAsOf,
  readFactors,
  readStoredBars,
} from '../../registry/bars.ts';
import {
  findFreshCollection,
  finishCollection,
  addNewRows,
  seriesSource,
  seriesState,
  startCollection,
} from '../../registry/collections.ts';
import {
  decodeBars,
  encodeBars,
  readBars,
  writeDatasetVersion,
} from '../../registry/datasets.impl.ts';
import { deliveryState } from '../../registry/served-bars.ts';
import { indexBars } from '../support/lab-data.ts';
import { walkBars, withRows } from '../support/made-bars.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const calendar = calendarFor('nyse');
let database: TestDatabase;
let folder: string;
before(async () => {
  database = await openTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'ratchet-bars-'));
});
after(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const seriesOf = (bars: Bars, source: string) => ({
  instrument: bars.instrument,
  timeframe: bars.timeframe,
  source,
});

async function append(source: string, bars: Bars, arrivedAt: number) {
  const { db } = database;
  const key = { dataset: source, source, instrument: bars.instrument, timeframe: bars.timeframe };
  const collectionId = await startCollection(db, key, 'primary', arrivedAt);
  return appendBars(db, source, bars, { collectionId, arrivedAt, calendar, declaredDelayMs: 0 });
}

test('bars come back bit for bit; the same delivery again adds nothing', async () => {
  const bars = indexBars('sp500');
  const arrived = Date.parse('2024-01-01');
  assert.deepEqual(await append('round', bars, arrived), { added: 5031, changed: 0 });
  const read = await readBarsAsOf(database.db, seriesOf(bars, 'round'));
  assert.equal(hashBars(read), hashBars(bars));
  assert.deepEqual(await append('round', bars, arrived + 1), { added: 0, changed: 0 });
});

test('a correction is a new revision; every past moment sees what was known then', async () => {
  const bars = walkBars(30, { from: '2024-01-02' });
  const series = seriesOf(bars, 'revised');
  const first = Date.parse('2024-03-01T00:00:00Z');
  const second = Date.parse('2024-03-05T00:00:00Z');
  await append('revised', sliceBars(bars, 0, 25), first);
  const corrected = withRows(bars, { 10: { close: bars.close[10]! * 1.001 } });
  assert.deepEqual(await append('revised', corrected, second), { added: 5, changed: 1 });
  const { bars: now, revision } = await readStoredBars(database.db, series);
  assert.equal(hashBars(now), hashBars(corrected));
  assert.deepEqual([revision[9], revision[10]], [0, 1]);
  const then = await readBarsAsOf(database.db, series, first);
  assert.equal(then.close[10], bars.close[10]);
  // A backfilled bar counts as known from its close on, and not before.
  const opened = bars.openTime[20]!;
  assert.equal((await readBarsAsOf(database.db, series, opened)).openTime.length, 20);
  assert.equal((await readBarsAsOf(database.db, series, opened + 86_400_000)).openTime.length, 21);
  const { rows } = await database.db
    .selectFrom('bar')
    .select((eb) => eb.fn.countAll<string>().as('n'))
    .where('source', '=', 'revised')
    .execute()
    .then((r) => ({ rows: r }));
  assert.equal(Number(rows[0]!.n), 31, 'nothing was updated or deleted');
});

test('two appenders of one series at a time leave one revision of each bar', async () => {
  const bars = walkBars(200);
  const results = await Promise.all(
    [1, 2, 3, 4].map((n) => append('raced', bars, Date.parse('2024-01-01') + n)),
  );
  assert.equal(
    results.reduce((sum, r) => sum + r.added, 0),
    200,
  );
  assert.equal(
    results.reduce((sum, r) => sum + r.changed, 0),
    0,
  );
});

test('factors are read as one set, as of a time', async () => {
  const key = { instrument: 'AAPL', source: 'lean' };
  const old = [{ effectiveFrom: 1000, priceFactor: 0.5, splitFactor: 0.5 }];
  const next = [...old, { effectiveFrom: 2000, priceFactor: 0.98, splitFactor: 1 }];
  assert.equal(await appendFactors(database.db, key, old, 10_000), 1);
  assert.equal(await appendFactors(database.db, key, old, 11_000), 0);
  assert.equal(await appendFactors(database.db, key, next, 20_000), 2);
  assert.deepEqual(await readFactors(database.db, key), next);
  assert.deepEqual(await readFactors(database.db, key, 15_000), old);
  assert.deepEqual(await readFactors(database.db, key, 5_000), old, 'a backfill');
  assert.deepEqual(await readFactors(database.db, { ...key, source: 'none' }), []);
});

test('collections: fresh for 24 hours, an interrupted or failed one never', async () => {
  const { db } = database;
  const key = { dataset: 'd', source: 'd#1', instrument: 'X', timeframe: '1d' as const };
  const t = Date.parse('2024-01-01');
  await startCollection(db, key, 'primary', t);
  assert.equal(await findFreshCollection(db, key, t + 1), undefined);
  const id = await startCollection(db, key, 'primary', t);
  await addNewRows(db, id, 5);
  await finishCollection(db, id, {
    status: 'delivered',
    rows: 5,
    notes: ['n'],
    finishedAt: t,
  });
  assert.equal((await findFreshCollection(db, key, t + 86_399_000))?.id, id);
  assert.equal(await findFreshCollection(db, key, t + 86_400_000), undefined);
  assert.equal(await findFreshCollection(db, { ...key, source: 'd#2' }, t + 1), undefined);
  assert.equal(await seriesState(db, key), '5');
  const again = await startCollection(db, key, 'primary', t);
  await finishCollection(db, again, {
    status: 'delivered',
    rows: 5,
    notes: [],
    finishedAt: t,
  });
  assert.equal(await seriesState(db, key), '5', 'unchanged bars are the same state');
  // Interrupted after its bars were stored: they are there, so the state must be another.
  await addNewRows(db, await startCollection(db, key, 'primary', t), 2);
  assert.equal(await seriesState(db, key), '7');
});

test('the state of bars changes with each delivery, also when the earlier one ends last', async () => {
  const { db } = database;
  const instrument = 'STATE';
  const start = (source: string) =>
    startCollection(db, { dataset: source, source, instrument, timeframe: '1d' }, 'primary', 0);
  const [slow, fast] = [await start('slow'), await start('fast')];
  const outcome = { status: 'delivered', rows: 1, notes: [], finishedAt: 0 } as const;
  const states = [await deliveryState(db, instrument, '1d')];
  for (const id of [fast, slow]) {
    await finishCollection(db, id, outcome);
    states.push(await deliveryState(db, instrument, '1d'));
  }
  assert.equal(new Set(states).size, 3, states.join());
});

test('a changed definition is another series', () => {
  const dataset = { name: 'd', source: 'csv', params: { profile: 'ohlcv-date' }, calendar: 'nyse' };
  const key = seriesSource(dataset);
  assert.match(key, /^d#[0-9a-f]{12}$/);
  assert.equal(seriesSource({ ...dataset }), key);
  assert.notEqual(seriesSource({ ...dataset, params: { profile: 'upbit-kst' } }), key);
  assert.notEqual(seriesSource({ ...dataset, calendar: '24x7' }), key);
});

test('Parquet: every bit, exogenous columns and NaN, and no rows', async () => {
  const bars = indexBars('nasdaq');
  const odd: Bars = {
    ...bars,
    instrument: "it's ^IXIC",
    exogenous: { 'vix.close': bars.close.map((c, i) => (i % 3 ? c : Number.NaN)) },
  };
  const back = await decodeBars(await encodeBars(odd));
  assert.equal(hashBars(back), hashBars(odd));
  assert.deepEqual(back, odd);
  const empty = sliceBars(bars, 0, 0);
  assert.deepEqual(await decodeBars(await encodeBars(empty)), empty);
  await assert.rejects(decodeBars(new TextEncoder().encode('no parquet')), {
    code: 'dataset.unreadable',
  });
});

test('a dataset version is written once, found again, and checked when it is read', async () => {
  const artifacts = openDirectoryStore(join(folder, 'a'));
  const bars = walkBars(50);
  const input = { bars, query: { range: null }, deliveredBy: 'walk', deliveries: [] };
  const first = await writeDatasetVersion(database.db, artifacts, input);
  assert.equal(first.hash, hashBars(bars));
  assert.equal(first.artifact.rows, 50);
  assert.deepEqual(await writeDatasetVersion(database.db, artifacts, input), first);
  assert.equal(hashBars(await readBars(artifacts, first.artifact, first.hash)), first.hash);
  await assert.rejects(readBars(artifacts, first.artifact, 'f'.repeat(64)), {
    code: 'dataset.corrupt',
  });
  await assert.rejects(
    writeDatasetVersion(database.db, artifacts, { ...input, bars: sliceBars(bars, 0, 0) }),
    { code: 'dataset.empty' },
  );
  // Another, empty store: the file is gone, the row is not.
  const empty = openDirectoryStore(join(folder, 'b'));
  const healed = await writeDatasetVersion(database.db, empty, input);
  assert.equal(hashBars(await readBars(empty, healed.artifact)), first.hash);
});
