import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CancelledFailure } from '@temporalio/common';
import type { MonitorResult } from '../../activities/contracts-lifecycle.ts';
import { driftReportSchema, type DriftReport } from '../../core/drift/schemas.ts';
import { listAlerts } from '../../registry/alerts.ts';
import { driftCalibration } from '../../registry/drift.ts';
import { listLifecycleEvents } from '../../registry/lifecycle-events.ts';
import { openMonitorFixture, type MonitorFixture } from '../support/monitored-model.ts';
import { SERVED_FROM } from '../support/monitored-rows.ts';
import { quietEnvironment } from '../support/packaging-fixture.ts';
import { skipS3 } from '../support/s3.ts';

const CHANGE = '2023-10-15';
/** Five minutes after midnight of a day. */
const at = (day: string): string => `${day}T00:05:00.000Z`;
const dayAfter = (ms: number, days: number): string =>
  at(new Date(ms + days * 86_400_000).toISOString().slice(0, 10));

describe('monitor', { skip: skipS3 }, () => {
  let fixture: MonitorFixture;
  before(async () => {
    fixture = await openMonitorFixture();
  });
  after(() => fixture.close());

  const stored = async (id: string) => {
    const row = await fixture.db
      .selectFrom('drift_report')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return { row, report: driftReportSchema.parse(row.report) };
  };
  const events = (model: string) =>
    listLifecycleEvents(fixture.db, { model, limit: 50, kind: 'drift.report' });
  const calibrated = (report: DriftReport) => {
    const { calibration } = report.performance!;
    assert.equal(calibration.status, 'calibrated');
    return calibration as Extract<typeof calibration, { status: 'calibrated' }>;
  };

  test('no change: six weekly reports find nothing, and say what they rest on', async () => {
    const model = await fixture.add({ model: 'same', params: { seed: 3 }, window: 100 });
    const days = ['2023-10-01', '2023-10-08', CHANGE, '2023-10-22', '2023-10-29', '2023-11-05'];
    let last: MonitorResult | undefined;
    for (const asOf of days.map(at)) {
      await model.settle(asOf);
      last = await model.report(asOf);
      assert.deepEqual([last.verdict, last.signals], ['none', []], `${asOf}: ${last.words[0]}`);
    }
    assert.deepEqual(await events('same'), []);
    const { report } = await stored(last!.reportId);
    // A value for each whole day since it answers: none counted twice, none lost. The last decision of 11-04 is open.
    const calibration = calibrated(report);
    assert.equal(calibration.rate, 0.1);
    const served = (Date.parse('2023-11-03') - SERVED_FROM) / 86_400_000 + 1;
    assert.equal(report.performance!.state.values, served);
    assert.equal(report.performance!.path.length, served);
    assert.equal(report.performance!.unit, 'day');
    assert.equal(report.inputs[0]!.drift.features.length, 152);
    assert.equal(report.predictions[0]!.drift.window.rows, 100);
    assert.equal(report.staleness[0]!.staleness.lagBars, 0);
  });

  test('a change that can be learnt: the loss test alarms, and the story says so once', async () => {
    const change = { at: CHANGE, momentum: -0.25 };
    const model = await fixture.add({
      model: 'learnable',
      params: { seed: 3, change },
      window: 1500,
    });
    const results: MonitorResult[] = [];
    for (const day of [CHANGE, '2023-10-20', '2023-10-25', '2023-10-30']) {
      await model.settle(at(day));
      results.push(await model.report(at(day)));
    }
    assert.deepEqual(
      results.map(({ signals }) => signals),
      [[], [], ['loss'], []],
    );
    const { row, report } = await stored(results[2]!.reportId);
    assert.equal(row.verdict, 'drift');
    const alarm = report.performance!.alarms[0]!;
    assert.ok(alarm > CHANGE && alarm < '2023-10-25', alarm);
    assert.match(
      results[2]!.words[0]!,
      /^Drift\. A retrain is asked for: the forecasts became worse/,
    );
    const told = await events('learnable');
    assert.equal(told.length, 1);
    assert.deepEqual(told[0]!.payload, {
      report: row.id,
      verdict: 'drift',
      signals: ['loss'],
    });
    const [alert, ...more] = await listAlerts(fixture.db, { limit: 10, model: 'learnable' });
    assert.deepEqual([alert?.event, more.length], ['drift.detected', 0]);
    assert.equal(alert?.payload.facts['reportId'], row.id);
    assert.match(alert.payload.words, /asks for a retrain\. Drift\. .*the forecasts became worse/);
    const page = await fixture.artifacts.get({ uri: row.page_uri!, sha256: row.page_sha256! });
    assert.match(new TextDecoder().decode(page), /^<!doctype html>/);
  });

  test('late, skipped and repeated reports, and a restart, find the same alarms', async () => {
    // The model of the test before: its reports and its calibration are forgotten, then made again otherwise.
    const { db } = fixture;
    const newest = await db
      .selectFrom('drift_report')
      .selectAll()
      .where('model', '=', 'learnable')
      .orderBy('as_of', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow();
    const kept = await driftCalibration(db, 'learnable', 1);
    await db.deleteFrom('drift_report').where('model', '=', 'learnable').execute();
    await db.deleteFrom('drift_calibration').where('model', '=', 'learnable').execute();
    const again = fixture.reopen('learnable');
    const early = await again(at('2023-10-18'));
    assert.deepEqual(early.signals, []);
    const late = await again(at('2023-10-30'));
    const between = await again(at('2023-10-25'));
    assert.deepEqual([late.signals, between.signals], [['loss'], ['loss']]);
    assert.equal(late.reportId, newest.id);
    const row = await stored(late.reportId);
    assert.deepEqual(row.row.state, newest.state);
    assert.deepEqual(
      row.report.performance!.path,
      driftReportSchema.parse(newest.report).performance!.path,
    );
    const remade = await driftCalibration(db, 'learnable', 1);
    assert.deepEqual([remade!.key, remade!.calibration], [kept!.key, kept!.calibration]);
  });

  test('noise: the inputs drift; a second report asks, another one of the same day does not', async () => {
    const change = { at: CHANGE, noise: 10, volatility: 3 };
    const model = await fixture.add({ model: 'noisy', params: { seed: 3, change }, window: 480 });
    const before = at('2023-10-14');
    await model.settle(before);
    assert.equal((await model.report(before)).verdict, 'none');
    await model.settle(at('2023-11-04'));
    const first = await model.report(at('2023-11-04'));
    assert.deepEqual([first.verdict, first.signals], ['warn', []]);
    const hour = await model.report('2023-11-04T06:05:00.000Z');
    assert.deepEqual([hour.verdict, hour.signals], ['warn', []]);
    await model.settle(at('2023-11-05'));
    const second = await model.report(at('2023-11-05'));
    assert.deepEqual([second.verdict, second.signals], ['drift', ['input-twice']]);
    // The warning that stayed was told once.
    assert.equal((await events('noisy')).length, 2);
    const { report } = await stored(second.reportId);
    assert.equal(report.previousInputVerdict, 'drift');
    assert.ok(report.inputs[0]!.drift.share! >= 0.2);
  });

  test('one report a version and instant: repeats and calls at once give the first', async () => {
    const change = { at: CHANGE, momentum: -0.25 };
    const model = await fixture.add({ model: 'once', params: { seed: 3, change }, window: 1500 });
    const asOf = at('2023-10-25');
    await model.settle(asOf);
    const results = await Promise.all([1, 2, 3].map(() => model.report(asOf)));
    const first = await model.report(asOf);
    for (const result of results) assert.deepEqual(result, first);
    assert.deepEqual(first.signals, ['loss']);
    const rows = await fixture.db
      .selectFrom('drift_report')
      .select('id')
      .where('model', '=', 'once')
      .execute();
    assert.equal(rows.length, 1);
    assert.equal((await events('once')).length, 1);
    // What is settled later changes nothing in it.
    await model.settle(at('2023-11-05'));
    assert.deepEqual(await model.report(asOf), first);
  });

  test('not calibrated: without test rows, and with too few until its first answers fill them up', async () => {
    const old = await fixture.add({ model: 'old', testFrom: null, window: 1500 });
    await old.settle(at(CHANGE));
    const result = await old.report(at(CHANGE));
    assert.deepEqual([result.verdict, result.signals], ['notCalibrated', []]);
    assert.match(result.words.join(' '), /evaluated before test rows were kept/);
    assert.deepEqual(await events('old'), []);

    const testFrom = SERVED_FROM - 395 * 86_400_000;
    const young = await fixture.add({
      model: 'young',
      testFrom,
      params: { seed: 3 },
      window: 1500,
    });
    const second = dayAfter(SERVED_FROM, 2);
    await young.settle(second);
    const waiting = await young.report(second);
    assert.equal(waiting.verdict, 'notCalibrated');
    assert.match(waiting.words.join(' '), /there are 396 settled losses, and 400 are needed/);
    const tenth = dayAfter(SERVED_FROM, 10);
    await young.settle(tenth);
    const { report } = await stored((await young.report(tenth)).reportId);
    assert.equal(calibrated(report).values, 400);
    assert.equal(report.performance!.state.values, 4, 'the days after the five that it took');
  });

  test('a new champion starts anew, with a calibration of its own', async () => {
    const change = { at: CHANGE, momentum: -0.25 };
    const model = await fixture.add({
      model: 'changed',
      params: { seed: 3, change },
      window: 1500,
    });
    const asOf = at('2023-10-25');
    await model.settle(asOf);
    assert.deepEqual((await model.report(asOf)).signals, ['loss']);
    const version = await model.crown(SERVED_FROM - 410 * 86_400_000);
    const { row, report } = await stored((await model.report(asOf)).reportId);
    assert.equal(row.version, version);
    assert.deepEqual([report.signals, report.performance!.path], [[], []]);
    assert.equal(calibrated(report).values, 410);
    assert.match(row.words.join(' '), /No loss was settled since the report before/);
  });

  test('only what was settled by then counts: nothing of a day that is not whole', async () => {
    const model = await fixture.add({ model: 'behind', params: { seed: 3 }, window: 1500 });
    await model.settle(at('2023-09-10'));
    const valuesAt = async (asOf: string): Promise<number> =>
      (await stored((await model.report(asOf)).reportId)).report.performance!.state.values;
    // Settled until 09-10, asked for at 09-20; then as of 23:30, when 09-08 is the last whole day of decisions.
    assert.equal(await valuesAt(at('2023-09-20')), 5);
    assert.equal(await valuesAt('2023-09-09T23:30:00.000Z'), 5);
    assert.equal(await valuesAt('2023-09-09T00:30:00.000Z'), 4);
  });

  test('cancelled, it stops and leaves no report; alive, it says so', async () => {
    const model = await fixture.add({ model: 'stopped', params: { seed: 3 }, window: 1500 });
    await model.settle(at(CHANGE));
    const environment = quietEnvironment();
    let beats = 0;
    environment.on('heartbeat', () => {
      if (++beats === 2) environment.cancel();
    });
    await assert.rejects(model.report(at(CHANGE), environment), CancelledFailure);
    const left = await fixture.db
      .selectFrom('drift_report')
      .select('id')
      .where('model', '=', 'stopped')
      .execute();
    assert.deepEqual(left, []);
    const counted = quietEnvironment();
    let alive = 0;
    counted.on('heartbeat', () => alive++);
    await model.report(at(CHANGE), counted);
    assert.ok(alive >= 4, `${alive} heartbeats`);
  });

  test('nothing to watch is said so, for good', async () => {
    const model = await fixture.add({ model: 'empty', params: { seed: 3 }, window: 1500 });
    const environment = quietEnvironment;
    await assert.rejects(model.report('soon', environment()), { code: 'monitor.asOf' });
    await assert.rejects(model.report('2021-01-01T00:00:00Z', environment()), {
      code: 'monitor.noBars',
    });
    await fixture.db
      .updateTable('champion')
      .set({ valid_to: new Date() })
      .where('model', '=', 'empty')
      .execute();
    await assert.rejects(model.report(at(CHANGE), environment()), {
      code: 'champion.none',
      permanent: true,
    });
  });
});
