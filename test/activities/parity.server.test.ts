import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'kysely';
import { ulid } from 'ulid';
import { createParityActivities } from '../../activities/parity.ts';
import { PageLook } from '../../activities/replay-past.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { RatchetError } from '../../core/errors.ts';
import type { PackageContent } from '../../core/packages/build.ts';
import { listAlerts } from '../../registry/alerts.ts';
import { appendBars } from '../../registry/bars.ts';
import { seriesSource, startCollection } from '../../registry/collections.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { createParityReport, parityReportOrThrow } from '../../registry/parity.ts';
import type { ParityDifference } from '../../registry/parity-progress.ts';
import type { ServedPrediction } from '../../registry/served-predictions.ts';
import { storePackage } from '../../registry/packages.ts';
import {
  DATASETS,
  eventually,
  INSTRUMENT,
  NOW,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { walkBars } from '../support/made-bars.ts';
import { makePackage } from '../support/model-package.ts';
import { openParityScene, type ParityScene } from '../support/parity-scene.ts';
import { MODEL } from '../support/registry-facts.ts';

const calendar = calendarFor('nyse');
/** Half an hour after each close of the last year of bars. */
const SESSIONS = calendar
  .between(Date.parse('2019-01-02'), Date.parse('2020-01-03'), '1d')
  .map((open) => calendar.closeTime(open, '1d') + 1_800_000);

let scene: ParityScene;
let fixture: ApiFixture;
let api: TestReplica;

before(async () => {
  scene = await openParityScene();
  ({ fixture, api } = scene);
});
after(() => scene.close());

const ask: ParityScene['ask'] = (...args) => scene.ask(...args);
const recorded: ParityScene['recorded'] = (...args) => scene.recorded(...args);
const replay: ParityScene['replay'] = (...args) => scene.replay(...args);

const fieldsOf = ({ fields }: ParityDifference) => fields.map(({ field }) => field);

describe('a replay of what was served', () => {
  test('finds no difference over instants, versions and confidences', async () => {
    for (const [i, at] of SESSIONS.entries()) {
      const asOf = new Date(at).toISOString();
      const confidence = i % 25 === 0 ? 'mc' : 'none';
      assert.equal(await ask({ asOf, confidence }), 200);
      if (i % 3 === 0) assert.equal(await ask({ asOf, version: 2, confidence: 'none' }), 200);
    }
    assert.equal(await ask({ confidence: 'mc' }), 200);
    assert.equal(await ask({ confidence: 'none' }), 200);
    await recorded();
    const { counts, status } = await replay();
    const pinned = Math.ceil(SESSIONS.length / 3);
    const total = SESSIONS.length + pinned + 2;
    assert.equal(status, 'completed');
    assert.deepEqual(
      { ...counts, withSamples: 0, samplesDrawn: 0 },
      {
        ...{ total, replayed: total, identical: total, late: 0, different: 0, callersOwn: 0 },
        ...{ withSamples: 0, samplesDrawn: 0, latestMs: 0, byCause: {} },
      },
    );
    assert.ok(counts.withSamples > 10, String(counts.withSamples));
    assert.equal(counts.samplesDrawn, 5);
    const alerts = await listAlerts(fixture.db, { limit: 5, event: 'parity.different' });
    assert.deepEqual(alerts, []);
  });

  test("counts apart what was made from a caller's bars", async () => {
    const path = `/api/v1/ml-models/${MODEL}/predictions`;
    const before = await replay();
    const bars = await api.parts.serving.bars(MODEL, undefined, INSTRUMENT);
    const rows = Array.from(bars.openTime, (openTime, i) => ({
      openTime: new Date(openTime).toISOString(),
      ...{ open: bars.open[i]!, high: bars.high[i]!, low: bars.low[i]!, close: bars.close[i]! },
      volume: bars.volume[i]!,
    }));
    const { status, body } = await api.call('POST', path.replace('predictions', 'predict'), {
      instrument: INSTRUMENT,
      bars: rows,
      confidence: 'none',
    });
    assert.equal(status, 200, JSON.stringify(body));
    await recorded();
    const { counts } = await replay();
    assert.equal(counts.callersOwn, 1);
    assert.equal(counts.total, before.counts.total);
  });

  test('goes on where a call ended, and counts nothing twice', async () => {
    const whole = await replay();
    // Each look at the clock costs all that a call has.
    let now = NOW;
    const { calls, counts } = await replay({}, { clock: () => (now += 600_000) });
    assert.ok(calls >= 2, `${calls} calls`);
    assert.deepEqual(counts, whole.counts);
  });

  test('counts what it cannot look at closer once, and the predictions behind it as they are', async (t) => {
    const whole = await replay();
    const { samples } = PageLook.prototype;
    let calls = 0;
    t.mock.method(PageLook.prototype, 'samples', function (this: PageLook, row: ServedPrediction) {
      if (++calls === 2) throw new RatchetError('artifact.corrupt', 'the noise is unreadable');
      return samples.call(this, row);
    });
    const { counts, differences } = await replay();
    const { identical, different, total } = whole.counts;
    assert.deepEqual([different, counts.different], [0, 1]);
    assert.deepEqual([counts.identical, counts.replayed], [identical - 1, total]);
    assert.deepEqual(counts.byCause, { 'package-damaged': 1 });
    assert.equal(differences[0]?.words, 'the noise is unreadable');
  });

  test('of a report that was failed meanwhile fails', async () => {
    const id = ulid();
    await inTransaction(fixture.db, (trx) =>
      createParityReport(trx, {
        ...{ id, model: MODEL, actor: 'test', requestId: undefined, lateMs: 0, samples: 0 },
        ...{ from: new Date(NOW - 1), to: new Date(NOW + 1) },
      }),
    );
    const { openParity, replayPredictions, failParity } = createParityActivities(scene.deps);
    const env = new MockActivityEnvironment();
    await env.run(openParity, { model: MODEL, asOf: '', reportId: id });
    await env.run(failParity, { reportId: id, reason: 'its workflow is gone' });
    await assert.rejects(env.run(replayPredictions, { reportId: id }), {
      code: 'parity.ended',
      message: /has failed meanwhile: its workflow is gone/,
    });
  });

  test('stops when it is cancelled', async () => {
    const id = ulid();
    await inTransaction(fixture.db, (trx) =>
      createParityReport(trx, {
        ...{ id, model: MODEL, actor: 'test', requestId: undefined, lateMs: 0, samples: 0 },
        ...{ from: new Date(NOW - 1), to: new Date(NOW + 1) },
      }),
    );
    const { openParity, replayPredictions, failParity } = createParityActivities(scene.deps);
    const env = new MockActivityEnvironment();
    await env.run(openParity, { model: MODEL, asOf: '', reportId: id });
    env.cancel('CANCELLED');
    await assert.rejects(env.run(replayPredictions, { reportId: id }), CancelledFailure);
    const stopped = await parityReportOrThrow(fixture.db, id);
    assert.deepEqual([stopped.status, stopped.counts.replayed], ['running', 0]);
    await env.run(failParity, { reportId: id, reason: 'cancelled' });
    assert.equal((await parityReportOrThrow(fixture.db, id)).status, 'failed');
  });
});

describe('a bar that the replica had not heard of', () => {
  const wednesday = Date.parse('2020-01-08T21:30:00Z');

  test('is lateness within a minute, and a difference after it', async () => {
    const source = seriesSource(DATASETS.get('sp500-daily')!);
    const key = {
      dataset: 'sp500-daily',
      source,
      instrument: INSTRUMENT,
      timeframe: '1d' as const,
    };
    // As many bars as it will need then.
    fixture.clock.now = wednesday;
    assert.equal(await ask({ record: false }), 200);
    // It is in the registry, and not told of: no replica reads it.
    const collectionId = await startCollection(fixture.db, key, 'primary', wednesday);
    const arrival = { collectionId, arrivedAt: wednesday, calendar, declaredDelayMs: 0 };
    const newer = walkBars(801, { instrument: INSTRUMENT, from: '2016-11-01' });
    await appendBars(fixture.db, source, newer, arrival);
    for (const after of [5_000, 120_000]) {
      fixture.clock.now = wednesday + after;
      assert.equal(await ask({ confidence: 'none' }), 200);
    }
    await recorded();
    const { counts, differences } = await replay({ from: wednesday });
    assert.deepEqual([counts.total, counts.late, counts.different], [2, 1, 1]);
    assert.equal(counts.latestMs, 5_000);
    const [behind] = differences;
    assert.equal(behind?.cause, 'replica-behind');
    assert.match(behind.words, /what was known at 2020-01-08T21:29:59.999Z/);
    assert.ok(fieldsOf(behind).includes('asOf'));
    // Who reads the registry anew has it.
    const fresh = await fixture.open('fresh');
    fixture.clock.now += 1_000;
    const from = fixture.clock.now;
    await eventually('it answers', async () => (await ask({ confidence: 'none' }, fresh)) === 200);
    await recorded(fresh);
    const again = await replay({ from });
    assert.deepEqual([again.counts.identical, again.counts.different], [1, 0]);
    fixture.clock.now = NOW;
  });
});

describe('what was altered is found and named', () => {
  test('a stored bar', async () => {
    const open = calendar.between(Date.parse('2019-11-05'), Date.parse('2019-11-05'), '1d')[0]!;
    const bar = new Date(open).toISOString();
    const change = (by: number) =>
      sql`UPDATE bar SET close = close * ${by}::float8 WHERE open_time = ${bar}`.execute(
        fixture.db,
      );
    const { counts: before } = await replay({ to: NOW + 1_000 });
    await change(1.5);
    try {
      const { id, counts, differences } = await replay({ to: NOW + 1_000 });
      assert.ok(counts.different > 20, String(counts.different));
      assert.equal(counts.identical + counts.different, before.total);
      assert.deepEqual(counts.byCause, { 'bar-altered': counts.different });
      const first = differences.find(({ version }) => version === 1)!;
      assert.equal(first.asOf.getTime(), open);
      assert.match(first.words, new RegExp(`The bar ${bar} of \\^GSPC closed at`));
      const close = first.fields.find(({ field }) => field === 'lastClose')!;
      assert.ok(Math.abs(Number(close.replayed) / Number(close.served) - 1.5) < 1e-9);
      // Those whose window holds it name it too.
      assert.ok(differences.every(({ words }) => words.includes(bar)));
      assert.ok(differences.every((one) => fieldsOf(one).includes('h7.change')));
      const [alert] = await listAlerts(fixture.db, { limit: 5, event: 'parity.different' });
      assert.equal(alert?.payload.facts['reportId'], id);
      assert.match(alert.payload.words, /bar-altered/);
    } finally {
      await change(1 / 1.5);
    }
  });

  test('a volume, which no last close shows', async () => {
    const bar = '2019-11-05';
    const change = (by: number) =>
      sql`UPDATE bar SET volume = volume * ${by}::float8 WHERE open_time::date = ${bar}::date`.execute(
        fixture.db,
      );
    await change(8);
    try {
      const { counts, differences } = await replay({ to: NOW + 1_000 });
      assert.ok(counts.different > 0);
      assert.deepEqual(counts.byCause, { 'bar-altered': counts.different });
      const first = differences.find(({ version }) => version === 1)!;
      assert.match(first.words, /Answers up to the bar 2019-11-04.* agree.* up to 2019-11-05/);
    } finally {
      await change(1 / 8);
    }
  });

  test("one field of a version's package, and a version that is gone", async () => {
    const { db, artifacts } = fixture;
    const { package_digest: own } = await db
      .selectFrom('model_version')
      .select('package_digest')
      .where('version', '=', 2)
      .executeTakeFirstOrThrow();
    const change = ({ preprocessing, ...content }: PackageContent): PackageContent => ({
      ...content,
      preprocessing: { ...preprocessing, beatsNaive: !preprocessing.beatsNaive },
    });
    const other = await makePackage({ version: 2, seed: 'version-2', monteCarlo: true, change });
    await storePackage(db, artifacts, other.files);
    const set = (columns: { package_digest?: string | null; status?: 'registered' | 'deleted' }) =>
      db.updateTable('model_version').set(columns).where('version', '=', 2).execute();
    await set({ package_digest: other.packageDigest });
    try {
      const { counts, differences } = await replay({ to: NOW + 1_000 });
      assert.deepEqual(counts.byCause, { 'other-package': counts.different });
      assert.ok(differences.every(({ version }) => version === 2));
      const [first] = differences;
      assert.deepEqual(fieldsOf(first!).toSorted(), ['beatsNaive', 'packageDigest']);
      assert.ok(first!.words.includes(other.packageDigest.slice(0, 12)), first!.words);
      await set({ package_digest: own, status: 'deleted' });
      const gone = await replay({ to: NOW + 1_000 });
      assert.deepEqual(gone.counts.byCause, { 'package-gone': counts.different });
    } finally {
      await set({ package_digest: own, status: 'registered' });
    }
    assert.equal((await replay({ to: NOW + 1_000 })).counts.different, 0);
  });
});
