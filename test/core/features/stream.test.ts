import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barCount, type Bars, sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { buildFeatures, featureSetOrThrow, featureSets } from '../../../core/features/index.ts';
import { featureStream } from '../../../core/features/stream.ts';
import { defineFeatureSet, named } from '../../../core/features/feature-set.ts';
import { indicatorInput, type IndicatorUse, use } from '../../../core/indicators/index.ts';
import { sma } from '../../../core/indicators/moving-average.ts';
import { sp500, walkBars } from '../../support/example-bars.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const nyse = calendarFor('nyse');
const always = calendarFor('24x7');
const HOUR_MS = 3_600_000;

/** Hours with holes, more than one stretch of them. */
function holedHours(rows: number): Bars {
  const uniform = seededUniform(6);
  const times: number[] = [];
  for (let hour = 0; times.length < rows; hour++) {
    if (uniform() < 0.003) hour += 30;
    if (uniform() > 0.02) times.push(Date.UTC(2019, 0, 1) + hour * HOUR_MS);
  }
  return walkBars(Float64Array.from(times), 5, '1h');
}

const firstDifference = (a: Float64Array, b: Float64Array): number =>
  a.findIndex((value, i) => !Object.is(value, b[i]));

test('a long history in stretches has the bits of whole columns, holes or none', () => {
  const bars = holedHours(20_000);
  for (const set of featureSets.values()) {
    const matrix = buildFeatures(set, bars, always);
    const input = indicatorInput(bars, always);
    const width = set.names.length;
    set.columns.forEach(({ name, use }, c) => {
      const whole = input.column(use);
      const at = whole.findIndex((value, t) => !Object.is(value, matrix.values[t * width + c]));
      assert.equal(at, -1, `${set.name} ${name} row ${at}`);
    });
  }
});

/** Written as one would at first: neither fills its column by a step. */
const plain: readonly IndicatorUse[] = [
  {
    ...{ name: 'mapped', key: 'mapped', docs: '', params: {}, warmupBars: 1, memoryBars: 1 },
    ...{ recursive: false, exogenous: [] },
    compute: ({ close }) => close.map((value, t) => value - (close[t - 1] ?? NaN)),
  },
  {
    ...{ name: 'looped', key: 'looped', docs: '', params: {}, warmupBars: 19, memoryBars: 19 },
    ...{ recursive: false, exogenous: [] },
    compute: (input) => {
      const average = input.column(use(sma, { period: 20 }));
      const out = input.positions.column();
      for (let t = 0; t < input.rows; t++) out[t] = input.close[t]! / average[t]!;
      return out;
    },
  },
];

test('indicators that make whole arrays grow as well', () => {
  const columns = named(
    'plain',
    plain.map((one) => [one.name, one] as const),
  );
  const set = defineFeatureSet({ name: 'plain', docs: '', version: 1, columns });
  const bars = sliceBars(sp500(), 0, 1500);
  const input = indicatorInput(bars, nyse);
  const { values } = buildFeatures(set, bars, nyse);
  for (const [c, one] of plain.entries()) {
    const built = values.filter((_, i) => i % plain.length === c);
    assert.deepEqual(built, input.column(one), one.name);
    assert.ok(Number.isFinite(built.at(-1)));
  }
});

test('bars that come one by one, or some at a time, give the same bits as all at once', () => {
  const set = featureSetOrThrow('technical-152');
  const bars = sliceBars(sp500(), 0, 1500);
  const { values } = buildFeatures(set, bars, nyse);
  const width = set.names.length;
  const stream = featureStream(set, 1500, nyse, '1d');
  const made = new Float64Array(values.length);
  const uniform = seededUniform(2);
  while (stream.rows < 1500) {
    const from = stream.rows;
    const to = Math.min(1500, from + (uniform() < 0.7 ? 1 : Math.floor(uniform() * 90)));
    stream.add(bars, from, to);
    stream.write(to - from, made, from * width);
  }
  assert.equal(firstDifference(made, values), -1);
  stream.clear();
  stream.add(bars, 100, 700);
  stream.write(600, made, 0);
  const later = buildFeatures(set, sliceBars(bars, 100, 700), nyse).values;
  assert.equal(firstDifference(made.subarray(0, later.length), later), -1);
});

test('one build leaves nothing in another: shorter bars, another calendar, bars refused in between', () => {
  const set = featureSetOrThrow('technical-152');
  const bars = sliceBars(sp500(), 0, 900);
  const before = buildFeatures(set, bars, nyse).values;
  buildFeatures(set, walkBars(bars.openTime, 3), always);
  assert.throws(
    () =>
      buildFeatures(
        set,
        { ...bars, openTime: bars.openTime.map((t, i) => (i === 500 ? 0 : t)) },
        nyse,
      ),
    { code: 'indicators.order' },
  );
  const short = buildFeatures(set, sliceBars(bars, 0, 300), nyse).values;
  assert.equal(firstDifference(short, before.subarray(0, short.length)), -1);
  assert.equal(firstDifference(buildFeatures(set, bars, nyse).values, before), -1);
  assert.equal(barCount(bars), 900);
});

test('values are written to where there is room for them, which has to be of their size', () => {
  const set = featureSetOrThrow('technical-152');
  const bars = sliceBars(sp500(), 0, 400);
  const expected = buildFeatures(set, bars, nyse).values;
  const room = new Float64Array(expected.length + 20).fill(5);
  const matrix = buildFeatures(set, bars, nyse, room.subarray(10, room.length - 10));
  assert.equal(firstDifference(matrix.values, expected), -1);
  assert.equal(firstDifference(room.subarray(10, room.length - 10), expected), -1);
  assert.deepEqual([...room.subarray(0, 10), ...room.subarray(-10)], new Array(20).fill(5));
  assert.throws(() => buildFeatures(set, bars, nyse, room), { code: 'features.room' });
});
