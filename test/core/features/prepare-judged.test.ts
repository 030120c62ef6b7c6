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
  split: plan.split,
  testFrom: own.openTime[own.split.test[0]!]!,
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

test('an embargo lies behind what was learnt: the rows of its own test part, and no others', () => {
  const split = { ...plan.split, embargo: 30 } as const;
  const { prepared: parted } = prepareUnit({ ...plan, split }, bars);
  const part = (rows: Int32Array) => ({
    from: parted.openTime[rows[0]!]!,
    to: parted.openTime[rows.at(-1)!]!,
  });
  const knows: LearntRows = {
    ...{ trainedThrough: parted.trainedThrough, split },
    testFrom: part(parted.split.test).from,
    train: part(parted.split.train),
    valid: part(parted.split.valid),
  };
  assert.deepEqual(prepareJudged(plan, bars, knows, ALL).split.test, parted.split.test);
  // Without its own test part to go by: thirty decision times of two instruments.
  const refit = { ...knows, testFrom: Infinity, refitSamples: 600 };
  const judged = prepareJudged(plan, bars, refit, ALL).split.test;
  const later = own.openTime.filter((time) => time > knows.trainedThrough);
  const times = [...new Set(later)].toSorted((a, b) => a - b);
  assert.equal(parted.openTime[judged[0]!], times[30]);
  const before = { from: -Infinity, to: times[29]! };
  assert.throws(
    () => prepareJudged(plan, bars, refit, before),
    /the embargo takes the 30 decision/,
  );
});

test('a test part that bars revised since then would begin earlier begins where it began', () => {
  const testFrom = own.openTime[own.split.test[10]!]!;
  const judged = prepareJudged(plan, bars, { ...learnt, testFrom }, ALL).split.test;
  assert.equal(own.openTime[judged[0]!], testFrom);
});

test('an embargo after the test part of a k-fold takes nothing of what comes after all that is known', () => {
  const split = {
    kind: 'purgedKFold',
    folds: 5,
    validShare: 0.15,
    purge: 'auto',
    embargo: 60,
  } as const;
  const judged = prepareJudged(plan, bars, { ...learnt, split }, ALL).split.test;
  assert.deepEqual(judged, own.split.test);
});
