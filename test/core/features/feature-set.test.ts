import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bars, sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { defineFeatureSet } from '../../../core/features/feature-set.ts';
import { buildFeatures, featureSetOrThrow } from '../../../core/features/index.ts';
import { use } from '../../../core/indicators/index.ts';
import { logReturn } from '../../../core/indicators/returns.ts';
import { sp500, walkBars } from '../../support/example-bars.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const set = featureSetOrThrow('technical-152');
const nyse = calendarFor('nyse');
const LOOKBACK = 60;

test('the bars that barsNeeded asks for give the window the same bits as the whole history', () => {
  const bars = sp500();
  const whole = buildFeatures(set, bars, nyse);
  const width = set.names.length;
  for (let last = 700; last < bars.openTime.length; last += 173) {
    const needed = set.barsNeeded(bars.openTime[last]!, LOOKBACK, nyse, '1d');
    const slice = sliceBars(bars, last + 1 - needed, last + 1);
    assert.equal(set.missingBars(slice, LOOKBACK, nyse), 0);
    const served = buildFeatures(set, slice, nyse);
    const window = served.values.subarray((needed - LOOKBACK) * width);
    const trained = whole.values.subarray((last + 1 - LOOKBACK) * width, (last + 1) * width);
    assert.deepEqual(Buffer.from(window.slice().buffer), Buffer.from(trained.slice().buffer));
  }
});

test('one bar less than needed is noticed, with the number missing', () => {
  const bars = sp500();
  for (const last of [900, 1300, 4000]) {
    const needed = set.barsNeeded(bars.openTime[last]!, LOOKBACK, nyse, '1d');
    for (const short of [1, 2, 50, needed - LOOKBACK]) {
      const slice = sliceBars(bars, last + 1 - needed + short, last + 1);
      const missing = set.missingBars(slice, LOOKBACK, nyse);
      assert.equal(missing, short, `last ${last}, ${short} short`);
    }
  }
  assert.ok(set.missingBars(sliceBars(bars, 0, 0), LOOKBACK, nyse) > 0);
});

test('changing one bar changes no earlier row (nothing looks ahead)', () => {
  const bars = sp500();
  const uniform = seededUniform(9);
  const before = buildFeatures(set, bars, nyse).values;
  const width = set.names.length;
  for (let k = 0; k < 12; k++) {
    const at = 1 + Math.floor(uniform() * (bars.openTime.length - 1));
    const change = (column: Float64Array, factor: number): Float64Array => {
      const copy = Float64Array.from(column);
      copy[at] = copy[at]! * factor;
      return copy;
    };
    const changed: Bars = {
      ...bars,
      open: change(bars.open, 1.01),
      high: change(bars.high, 1.05),
      low: change(bars.low, 0.95),
      close: change(bars.close, 1.02),
      volume: change(bars.volume, 3),
    };
    const after = buildFeatures(set, changed, nyse).values;
    const first = after.findIndex((value, i) => !Object.is(value, before[i]));
    assert.equal(Math.floor(first / width), at);
  }
});

test('a later start of history is no anchor for rows that reach an older one', () => {
  // Both histories begin between anchors; rows warmed by a true anchor agree, the first ones do not.
  const times = nyse.between(Date.UTC(2001, 0, 2), Date.UTC(2006, 0, 2), '1d');
  const bars = walkBars(times, 4);
  const adx = set.names.indexOf('adx_14');
  const value = (of: Bars, row: number): number =>
    buildFeatures(set, of, nyse).values[row * set.names.length + adx]!;
  assert.notEqual(value(bars, 60), value(sliceBars(bars, 10), 50));
  assert.equal(value(bars, 900), value(sliceBars(bars, 10), 890));
});

test('the hash depends on names, order, parameters and version', () => {
  const column = (name: string, bars: number) => ({
    name,
    family: 'returns',
    use: use(logReturn, { bars }),
  });
  const define = (version: number, ...columns: ReturnType<typeof column>[]) =>
    defineFeatureSet({ name: 'x', docs: 'x', version, columns }).hash;
  const base = define(1, column('a', 1), column('b', 2));
  assert.equal(define(1, column('a', 1), column('b', 2)), base);
  for (const other of [
    define(2, column('a', 1), column('b', 2)),
    define(1, column('b', 2), column('a', 1)),
    define(1, column('a', 1), column('b', 3)),
    define(1, column('a', 1), column('c', 2)),
    define(1, column('a', 1)),
  ]) {
    assert.notEqual(other, base);
  }
  assert.throws(() => define(1, column('a', 1), column('a', 2)), { code: 'features.duplicate' });
});

test('an unknown set is refused with the names that exist', () => {
  assert.throws(() => featureSetOrThrow('technical-151'), /technical-152/);
});

test('short histories: all rows NaN where not warm, none crash', () => {
  const bars = sp500();
  for (const rows of [0, 1, 2, 199, 200]) {
    const matrix = buildFeatures(set, sliceBars(bars, 0, rows), nyse);
    assert.equal(matrix.values.length, rows * 152);
    assert.equal(matrix.firstWarmRow, Math.min(rows, 199));
  }
});
