import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bars, sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { decodeFold, encodeFold, folded } from '../../../core/features/fold.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { type PreparePlan, prepareUnit } from '../../../core/features/prepare.ts';
import { decodePrepared, encodePrepared } from '../../../core/features/prepared.ts';
import { fitScaler } from '../../../core/scaling/index.ts';
import { splitSchema } from '../../../core/splits/index.ts';
import { sp500 } from '../../support/example-bars.ts';
import { walkBars } from '../../support/made-bars.ts';

const sizes = { trainBars: 400, validBars: 80, testBars: 90 };
const rolling = splitSchema.parse({ kind: 'walkForward', mode: 'rolling', folds: 3, ...sizes });
const plan: PreparePlan = {
  set: featureSetOrThrow('technical-152'),
  lookback: 20,
  label: { kind: 'forwardLogReturn', horizons: [7, 30] },
  split: rolling,
  scaling: { features: 'standard', labels: 'standard' },
  timeframe: '1d',
  calendar: calendarFor('nyse'),
  missing: 'ffill',
};
const BARS = 1500;
const bars = sliceBars(sp500(), 0, BARS);

test('each fold is what the newest would have been on its day, scalers and statistics included', () => {
  const unit = prepareUnit(plan, [bars]);
  assert.equal(unit.folds.length, 2);
  const recent = splitSchema.parse({ kind: 'recent', ...sizes });
  for (const [k, fold] of [...unit.folds, unit.prepared].entries()) {
    const then = sliceBars(bars, 0, BARS - 90 * (2 - k));
    const { prepared } = prepareUnit({ ...plan, split: recent }, [then]);
    const { split, scalers, trainLabelMean, trainLabelVariance, trainedThrough } = prepared;
    const want = { split, scalers, trainLabelMean, trainLabelVariance, trainedThrough };
    const { split: parts, trainedThrough: through, ...fitted } = fold;
    assert.deepEqual(
      {
        split: parts,
        scalers: fitted.scalers,
        trainLabelMean: fitted.trainLabelMean,
        trainLabelVariance: fitted.trainLabelVariance,
        trainedThrough: through,
      },
      want,
    );
  }
});

test('a split of one fold has no others, and its prepared data keeps its bytes', () => {
  const chronological = splitSchema.parse({ kind: 'chronological' });
  const unit = prepareUnit({ ...plan, split: chronological }, [bars]);
  assert.deepEqual(unit.folds, []);
  const again = prepareUnit({ ...plan, split: chronological }, [bars]);
  assert.deepEqual(encodePrepared(again.prepared), encodePrepared(unit.prepared));
});

test('a fold survives its encoding and is refused by other data', () => {
  const { prepared, folds } = prepareUnit(plan, [bars]);
  const fold = folds[0]!;
  const read = decodeFold(encodeFold(fold));
  assert.deepEqual(read, fold);
  assert.deepEqual(encodeFold(read), encodeFold(fold));
  const seen = folded(prepared, read);
  assert.equal(seen.features, prepared.features, 'the memory is shared');
  assert.deepEqual(decodePrepared(encodePrepared(seen)).split, fold.split);
  const shorter = prepareUnit({ ...plan, split: splitSchema.parse({ kind: 'recent', ...sizes }) }, [
    sliceBars(bars, 0, 900),
  ]);
  assert.throws(() => folded(shorter.prepared, fold), { code: 'fold.corrupt' });
  const cut = encodeFold(fold).subarray(0, 100);
  assert.throws(() => decodeFold(cut), { code: 'fold.corrupt' });
});

const calm = walkBars(1000, { seed: 3, instrument: 'CALM' });
const walk = walkBars(1000, { seed: 4, instrument: 'WILD' });
/** Moves three times as far as the other. */
const wild: Bars = {
  ...walk,
  ...Object.fromEntries(
    (['open', 'high', 'low', 'close'] as const).map((name) => [
      name,
      walk[name].map((x) => 100 * (x / 100) ** 3),
    ]),
  ),
};
const pool = (per?: 'unit' | 'instrument') =>
  prepareUnit(
    {
      ...plan,
      split: splitSchema.parse({ kind: 'chronological' }),
      scaling: { ...plan.scaling, per },
    },
    [calm, wild],
  ).prepared;

test('a pool knows what the training labels of each instrument are like', () => {
  const prepared = pool();
  const [first, second] = prepared.byInstrument!;
  assert.ok(second!.trainLabelVariance[0]! > 6 * first!.trainLabelVariance[0]!);
  const { from, to } = prepared.instruments[1]!;
  const own = prepared.split.train.filter((row) => row >= from && row < to);
  const labels = Array.from(own, (row) => prepared.labels[row * 2]!);
  const mean = labels.reduce((a, b) => a + b, 0) / labels.length;
  assert.ok(Math.abs(second!.trainLabelMean[0]! - mean) < 1e-12);
  assert.equal(first!.scalers, undefined, 'scaled by one scaler for all, unless asked for');
  assert.deepEqual(decodePrepared(encodePrepared(prepared)), prepared);
});

test('scaling per instrument: each scaler is fitted on the training rows of its own', () => {
  const prepared = pool('instrument');
  assert.deepEqual(prepared.scalers, pool().scalers, 'and the one of all stays beside');
  prepared.instruments.forEach(({ from, to }, i) => {
    const own = prepared.split.train.filter((row) => row >= from && row < to);
    assert.deepEqual(
      prepared.byInstrument![i]!.scalers!.labels,
      fitScaler('standard', prepared.labels, 2, own, { clip: false }),
    );
  });
});

test('one instrument alone has no statistics by instrument', () => {
  assert.equal(prepareUnit(plan, [bars]).prepared.byInstrument, undefined);
});
