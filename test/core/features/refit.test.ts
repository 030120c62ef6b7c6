import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceBars, type Bars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import {
  type PreparedUnit,
  type PreparePlan,
  prepareUnit,
} from '../../../core/features/prepare.ts';
import { windowRows } from '../../../core/features/fitted-on.ts';
import { encodePrepared, decodePrepared, samplesOf } from '../../../core/features/prepared.ts';
import { decodeRefit, encodeRefit, refitted, type Refit } from '../../../core/features/refit.ts';
import { fitScaler } from '../../../core/scaling/index.ts';
import { sp500 } from '../../support/example-bars.ts';

const plan: PreparePlan = {
  set: featureSetOrThrow('technical-152'),
  lookback: 20,
  label: { kind: 'forwardLogReturn', horizons: [7, 30] },
  split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
  scaling: { features: 'standard', labels: 'standard' },
  timeframe: '1d',
  calendar: calendarFor('nyse'),
  missing: 'ffill',
};
const bars = sliceBars(sp500(), 0, 1500);

const prepare = (change: Partial<PreparePlan>, of: Bars = bars): PreparedUnit =>
  prepareUnit({ ...plan, ...change }, [of]);
function refitOf(unit: PreparedUnit): Refit {
  assert.ok(unit.refit);
  return unit.refit;
}

test('a refit leaves the prepared data of its twin as it is, bit for bit', () => {
  const twin = prepare({});
  assert.equal(twin.refit, undefined);
  const unit = prepare({ refit: 'all' });
  assert.deepEqual(encodePrepared(unit.prepared), encodePrepared(twin.prepared));
});

test('scalers and label statistics are those of the refit rows, trainedThrough their last label', () => {
  const unit = prepare({ refit: 'all' });
  const { prepared } = unit;
  const refit = refitOf(unit);
  const width = prepared.featureNames.length;
  const covered = windowRows(refit.rows, prepared.lookback, prepared.openTime.length);
  assert.deepEqual(
    refit.scalers.features,
    fitScaler('standard', prepared.features, width, covered),
  );
  assert.notDeepEqual(refit.scalers, prepared.scalers);
  const { labels } = samplesOf(prepared, refit.rows);
  const mean = labels.filter((_, i) => i % 2 === 0).reduce((a, b) => a + b, 0) / refit.rows.length;
  assert.ok(Math.abs(refit.trainLabelMean[0]! - mean) < 1e-12);
  assert.equal(refit.trainedThrough, prepared.openTime.at(-1), 'the label of the last sample');
  assert.ok(refit.trainedThrough > prepared.trainedThrough);
  const trained = prepared.openTime[prepared.split.train.at(-1)!]!;
  const newer = refit.rows.filter((row) => prepared.openTime[row]! > trained);
  assert.equal(refit.newer, newer.length);
  assert.ok(
    refit.newer > prepared.split.valid.length + prepared.split.test.length,
    'purged ones too',
  );
});

test('trainValid ends before the test part: later bars move nothing in it', () => {
  const unit = prepare({ refit: 'trainValid' });
  const { prepared } = unit;
  assert.equal(refitOf(unit).trainedThrough, prepared.trainedThrough);
  const firstTest = prepared.split.test[0]!;
  const changed = { ...bars, close: bars.close.map((x, i) => (i >= firstTest ? x * 1.5 : x)) };
  assert.deepEqual(refitOf(prepare({ refit: 'trainValid' }, changed)), refitOf(unit));
});

test('a recent split rolls forward by the samples it had held out', () => {
  const split: PreparePlan['split'] = {
    kind: 'recent',
    trainBars: 400,
    validBars: 80,
    testBars: 90,
    purge: 'auto',
    embargo: 'auto',
  };
  const refit = refitOf(prepare({ split, refit: 'all' }));
  assert.equal(refit.rows.length, 400);
  assert.equal(refit.newer, 80 + 90 + 2 * 30, 'valid, test and what was purged between');
});

test('stored and read again it is the same; bytes of something else are refused', () => {
  const unit = prepare({ refit: 'all' });
  const refit = refitOf(unit);
  assert.deepEqual(decodeRefit(encodeRefit(refit)), refit);
  for (const text of ['', '{}', 'null', '[1]']) {
    assert.throws(() => decodeRefit(new TextEncoder().encode(text)), { code: 'refit.corrupt' });
  }
  const view = refitted(unit.prepared, refit);
  assert.deepEqual([view.split.train, view.split.valid.length], [refit.rows, 0]);
  assert.equal(view.features, unit.prepared.features, 'nothing is copied');
  assert.deepEqual(decodePrepared(encodePrepared(view)).split.train, refit.rows);
  const other = prepare({ label: { kind: 'forwardLogReturn', horizons: [7] } }).prepared;
  for (const wrong of [
    { ...refit, rows: Int32Array.of(5) },
    { ...refit, rows: Int32Array.of() },
  ]) {
    assert.throws(() => refitted(unit.prepared, wrong), { code: 'refit.corrupt' });
  }
  assert.throws(() => refitted(other, refit), { code: 'refit.corrupt' });
});
