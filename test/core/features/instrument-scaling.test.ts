import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import {
  instrumentScalers,
  scaledByInstrument,
  unscaledAnswers,
} from '../../../core/features/instrument-scaling.ts';
import { type PreparePlan, prepareUnit } from '../../../core/features/prepare.ts';
import { samplesOf, trainingSamples } from '../../../core/features/prepared.ts';
import { splitSchema } from '../../../core/splits/index.ts';
import { walkBars } from '../../support/made-bars.ts';

/** The same walk, each move `power` times as far. */
function livelier(bars: Bars, power: number): Bars {
  const further = (prices: Float64Array) => prices.map((x) => 100 * (x / 100) ** power);
  const { open, high, low, close } = bars;
  return {
    ...bars,
    ...{ open: further(open), high: further(high), low: further(low), close: further(close) },
  };
}
const calm = walkBars(1100, { seed: 3, instrument: 'CALM' });
const wild = livelier(walkBars(1100, { seed: 4, instrument: 'WILD' }), 4);

const plan: PreparePlan = {
  set: featureSetOrThrow('technical-152'),
  lookback: 5,
  label: { kind: 'forwardLogReturn', horizons: [1, 5] },
  split: splitSchema.parse({ kind: 'chronological' }),
  scaling: { features: 'standard', labels: 'standard', per: 'instrument' },
  timeframe: '1d',
  calendar: calendarFor('nyse'),
  missing: 'ffill',
};
const { prepared } = prepareUnit(plan, [calm, wild]);
const scalers = instrumentScalers(prepared)!;
const seen = scaledByInstrument(prepared, scalers);

const own = (i: number): Int32Array => {
  const { from, to } = prepared.instruments[i]!;
  return prepared.split.train.filter((row) => row >= from && row < to);
};

function moments(values: readonly number[]): { mean: number; sd: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return {
    mean,
    sd: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length),
  };
}

test('training labels and features of each instrument have mean 0 and SD 1', () => {
  for (const i of [0, 1]) {
    const labels = moments(Array.from(own(i), (row) => seen.labels[row * 2]!));
    assert.ok(Math.abs(labels.mean) < 1e-9 && Math.abs(labels.sd - 1) < 1e-9);
    const width = seen.featureNames.length;
    const column = seen.featureNames.indexOf('ret_1');
    const returns = moments(Array.from(own(i), (row) => seen.features[row * width + column]!));
    // Windows cover a few rows more than end in them, and lie within the clip.
    assert.ok(Math.abs(returns.mean) < 0.02 && Math.abs(returns.sd - 1) < 0.02, `${returns.sd}`);
  }
  const raw = [0, 1].map((i) => moments(Array.from(own(i), (row) => prepared.labels[row * 2]!)).sd);
  assert.ok(raw[1]! > 3 * raw[0]!, 'while raw ones are not alike');
});

test('what is left for the own scaler of a family is nothing', () => {
  assert.deepEqual(new Set(seen.scalers.features.factor), new Set([1]));
  assert.deepEqual(new Set(seen.scalers.labels.offset), new Set([0]));
  assert.ok(seen.trainLabelVariance.every((v) => Math.abs(v - 1) < 1e-9));
  assert.equal(instrumentScalers(seen), undefined, 'and it is not scaled twice');
});

test('answers come back in label units, by the instrument of their row', () => {
  const rows = Int32Array.from([own(0)[0]!, own(1)[0]!, own(1)[5]!]);
  const labels = samplesOf(seen, rows).labels;
  const back = unscaledAnswers(prepared, scalers, rows, labels);
  samplesOf(prepared, rows).labels.forEach((y, i) => assert.ok(Math.abs(back[i]! - y) < 1e-12));
});

test('outliers are brought within bounds before they are scaled, of training rows only', () => {
  const labels = { kind: 'winsorize', lower: 0.05, upper: 0.95 } as const;
  const unit = prepareUnit({ ...plan, outliers: { features: 'none', labels } }, [calm, wild]);
  const bounds = unit.prepared.labelBounds!;
  const inner = scaledByInstrument(unit.prepared, instrumentScalers(unit.prepared)!);
  const trained = trainingSamples(inner).labels;
  const raw = unscaledAnswers(
    unit.prepared,
    instrumentScalers(unit.prepared)!,
    unit.prepared.split.train,
    trained,
  );
  assert.ok(Math.max(...raw.filter((_, i) => i % 2 === 0)) <= bounds.high[0]! + 1e-12);
  const { valid } = unit.prepared.split;
  const kept = unscaledAnswers(
    unit.prepared,
    instrumentScalers(unit.prepared)!,
    valid,
    samplesOf(inner, valid).labels,
  );
  samplesOf(unit.prepared, valid).labels.forEach((y, i) =>
    assert.ok(Math.abs(kept[i]! - y) < 1e-12),
  );
});

test('an instrument without training rows is scaled by the scaler of all', () => {
  // It begins when the training part has ended.
  const late = walkBars(500, { seed: 5, instrument: 'LATE', from: '2019-01-02' });
  const long = walkBars(1400, { seed: 3, instrument: 'CALM' });
  const unit = prepareUnit(plan, [long, late]).prepared;
  assert.equal(unit.byInstrument![1], null);
  assert.deepEqual(instrumentScalers(unit)![1], unit.scalers);
});
