import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { RatchetError } from '../../../core/errors.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { prepareJudged, type LearntRows } from '../../../core/features/prepare-judged.ts';
import { type PreparePlan, prepareUnit } from '../../../core/features/prepare.ts';
import { nasdaq, sp500 } from '../../support/example-bars.ts';

const plan: PreparePlan = {
  set: featureSetOrThrow('technical-152'),
  lookback: 20,
  label: { kind: 'forwardLogReturn', horizons: [1, 5] },
  split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
  scaling: { features: 'standard', labels: 'standard' },
  timeframe: '1d',
  calendar: calendarFor('nyse'),
  missing: 'ffill',
};
const bars = [sliceBars(sp500(), 0, 1200), sliceBars(nasdaq(), 0, 1200)];
const { prepared: own } = prepareUnit(plan, bars);
const timesOf = (rows: Int32Array) => ({
  from: own.openTime[rows[0]!]!,
  to: own.openTime[rows.at(-1)!]!,
});
const learnt: LearntRows = {
  trainedThrough: own.trainedThrough,
  train: timesOf(own.split.train),
  valid: timesOf(own.split.valid),
};
const ALL = { from: -Infinity, to: Infinity };

test('parts the bars as they were parted, and takes the same statistics of them', () => {
  const again = prepareJudged(plan, bars, learnt, ALL);
  assert.deepEqual(again.split, own.split);
  assert.deepEqual(again.trainLabelMean, own.trainLabelMean);
  assert.deepEqual(again.byInstrument, own.byInstrument);
});

test('newer bars are judged, and nothing of what was learnt moves', () => {
  const more = [sliceBars(sp500(), 0, 1400), sliceBars(nasdaq(), 0, 1400)];
  const again = prepareJudged(plan, more, learnt, ALL);
  assert.deepEqual(again.trainLabelVariance, own.trainLabelVariance);
  assert.deepEqual(again.scalers, own.scalers);
  assert.equal(again.split.test.length, own.split.test.length + 400);
  const times = Array.from(again.split.test, (row) => again.openTime[row]!);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
});

test('no row is judged whose decision lies before the end of what is known', () => {
  const later = own.openTime[own.split.test[20]!]!;
  const again = prepareJudged(plan, bars, { ...learnt, trainedThrough: later }, ALL);
  assert.ok(again.split.test.every((row) => again.openTime[row]! > later));
  const range = { from: learnt.train.from, to: later };
  const codeOf = (error: unknown): string => (error instanceof RatchetError ? error.code : '');
  assert.throws(
    () => prepareJudged(plan, bars, { ...learnt, trainedThrough: later }, range),
    (error) => codeOf(error) === 'evaluation.noRows',
  );
  const gone = { ...learnt, train: { from: 0, to: 1 } };
  assert.throws(
    () => prepareJudged(plan, bars, gone, ALL),
    (error) => codeOf(error) === 'evaluation.noTraining',
  );
});

test('of a refit, what was learnt is the newest samples whose outcomes it knows', () => {
  const { trainedThrough } = learnt;
  const again = prepareJudged(plan, bars, { ...learnt, refitSamples: 600 }, ALL);
  const { train, valid, test: judged } = again.split;
  assert.deepEqual([train.length, valid.length], [600, 0]);
  // Two instruments, five bars to the longest horizon: the newest decision is five sessions before the end of knowledge.
  const ends = bars[0]!.openTime.indexOf(trainedThrough);
  assert.equal(again.openTime[train.at(-1)!], bars[0]!.openTime[ends - 5]);
  assert.ok(judged.every((row) => again.openTime[row]! > trainedThrough));
});
