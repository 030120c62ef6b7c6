import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  buildLabels,
  classLabelOrThrow,
  labelKinds,
  labelParamsOf,
  labelSchema,
  regressionLabelOrThrow,
} from '../../../core/labels/index.ts';
import { randomFor } from '../../../core/models/random.ts';
import { sp500, walkBars } from '../../support/example-bars.ts';

const nyse = calendarFor('nyse');
const always = calendarFor('24x7');
const HOUR = 3_600_000;

test('a daily label looks exactly h bars past the last bar of its window', () => {
  const bars = sp500();
  const { values, labelEnd } = buildLabels(
    { kind: 'forwardLogReturn', horizons: [7, 14, 30] },
    bars,
    nyse,
  );
  for (const row of [0, 1234, 5000]) {
    assert.equal(values[row * 3]!, Math.log(bars.close[row + 7]! / bars.close[row]!));
    assert.equal(values[row * 3 + 2]!, Math.log(bars.close[row + 30]! / bars.close[row]!));
    assert.equal(labelEnd[row], bars.openTime[row + 30]);
  }
});

test('the last rows are unknown, each horizon by its own length', () => {
  const bars = sliceBars(sp500(), 0, 100);
  const { values, labelEnd } = buildLabels(
    { kind: 'forwardReturn', horizons: [1, 30] },
    bars,
    nyse,
  );
  for (let row = 0; row < 100; row++) {
    assert.equal(Number.isNaN(values[row * 2]), row >= 99);
    assert.equal(Number.isNaN(values[row * 2 + 1]), row >= 70);
    assert.equal(Number.isNaN(labelEnd[row]), row >= 70);
  }
});

test('hourly labels join by timestamp: where no bar is, no label, and no neighbour instead', () => {
  const hours = [0, 1, 2, 4, 5, 6, 7];
  const start = Date.UTC(2024, 0, 1);
  const bars = walkBars(
    Float64Array.from(hours, (hour) => start + hour * HOUR),
    1,
    '1h',
  );
  const { values, labelEnd } = buildLabels({ kind: 'forwardReturn', horizons: [2] }, bars, always);
  const known = hours.map((_, row) => !Number.isNaN(values[row]!));
  // 1 + 2 = 3 is the hole; 6 and 7 look past the end.
  assert.deepEqual(known, [true, false, true, true, true, false, false]);
  assert.equal(values[2], bars.close[3]! / bars.close[2]! - 1);
  assert.equal(labelEnd[2], start + 4 * HOUR);
});

test('a missing session is unknown too, never the next one', () => {
  const all = sp500();
  const rows = [0, 1, 2, 4, 5];
  const pick = (column: Float64Array): Float64Array => Float64Array.from(rows, (r) => column[r]!);
  const bars = { ...all, openTime: pick(all.openTime), close: pick(all.close) };
  const { values } = buildLabels({ kind: 'forwardReturn', horizons: [1] }, bars, nyse);
  assert.deepEqual(
    rows.map((_, row) => Number.isNaN(values[row])),
    [false, false, true, false, true],
  );
});

const quantities = labelKinds.filter((kind) => kind.task === 'regression');

test('every quantity: value, price and return agree, and "unchanged" means the last close', () => {
  for (const kind of quantities) {
    const learnt = kind.value(80, 88);
    assert.ok(Math.abs(kind.priceFrom(learnt, 80) - 88) < 1e-12, kind.name);
    assert.ok(Math.abs(kind.returnFrom(learnt) - 0.1) < 1e-12, kind.name);
    assert.equal(kind.priceFrom(kind.unchanged, 80), 80);
    assert.equal(kind.value(80, 80), kind.unchanged);
    assert.equal(kind.returnFrom(kind.unchanged), 0);
  }
});

test('forwardPrice is learnt as a ratio and multiplied by the close in the graph', () => {
  const kind = regressionLabelOrThrow('forwardPrice');
  assert.equal(kind.value(2000, 2100), 1.05);
  assert.equal(kind.multiplyByClose, true);
  assert.deepEqual(
    quantities.filter((k) => k.multiplyByClose).map((k) => k.name),
    ['forwardPrice'],
  );
});

test('an unknown kind is refused with the names that exist', () => {
  assert.throws(() => regressionLabelOrThrow('forwardlogreturn'), /forwardLogReturn/);
});

const hourly = (close: readonly number[]) => ({
  instrument: 'KRW-BTC',
  timeframe: '1h' as const,
  openTime: Float64Array.from(close, (_, i) => Date.UTC(2024, 0, 1, i)),
  open: Float64Array.from(close),
  high: Float64Array.from(close),
  low: Float64Array.from(close),
  close: Float64Array.from(close),
  volume: Float64Array.from(close, () => 1),
  value: Float64Array.from(close),
  valueDerived: false,
});

test('threeClass by a fixed threshold: sell, hold, buy by the close h bars later', () => {
  const bars = hourly([100, 100.4, 101, 99, 99.2, 130]);
  const label = { kind: 'threeClass', horizons: [1, 2], by: 'fixed', threshold: 0.005 };
  const { values, changes } = buildLabels(label, bars, calendarFor('24x7'));
  const column = (k: number) => Array.from({ length: 6 }, (_, row) => values[row * 2 + k]);
  assert.deepEqual(column(0), [1, 2, 0, 1, 2, NaN]);
  assert.deepEqual(column(1), [2, 0, 0, 2, NaN, NaN]);
  assert.ok(Math.abs(changes[1]! - 0.01) < 1e-12);
});

test('a threshold by volatility knows nothing of what comes after the decision', () => {
  const random = randomFor(7, 1);
  const close = [100];
  for (let i = 1; i < 120; i++) close.push(close[i - 1]! * (1 + 0.02 * (random() - 0.5)));
  const label = { kind: 'threeClass', horizons: [4], by: 'volatility', window: 40, floor: 0 };
  const all = buildLabels(label, hourly(close), calendarFor('24x7')).values;
  assert.ok(all.slice(0, 20).every(Number.isNaN), 'fewer than 60 % of the window');
  assert.ok(all.slice(30, 110).every(Number.isFinite));
  for (const end of [60, 90, 119]) {
    const prefix = buildLabels(label, hourly(close.slice(0, end)), calendarFor('24x7')).values;
    assert.deepEqual(prefix.slice(0, end - 4), all.slice(0, end - 4));
  }
  const kind = classLabelOrThrow('threeClass');
  const params = labelParamsOf(label);
  const returns = Array.from({ length: 40 }, (_, i) => Math.log(close[41 + i]! / close[40 + i]!));
  const mean = returns.reduce((a, b) => a + b, 0) / 40;
  const sd = Math.sqrt(returns.reduce((a, r) => a + (r - mean) ** 2, 0) / 39);
  const got = kind.thresholdAfter(params, Float64Array.from(close.slice(0, 81)), 4);
  assert.ok(Math.abs(got - 0.5 * sd * 2) < 1e-15);
});

test('tripleBarrier: the barrier met first decides, and none is hold', () => {
  const bars = hourly([100, 99.5, 102.5, 90, 90, 90, 90]);
  const label = { kind: 'tripleBarrier', horizons: [3], by: 'fixed', threshold: 0.02 };
  const { values } = buildLabels(label, bars, calendarFor('24x7'));
  // 102.5 comes before 90; then 90 at once; then nothing moves.
  assert.deepEqual([...values], [2, 2, 0, 1, NaN, NaN, NaN]);
});

test('binaryForwardReturn: buy above the threshold only', () => {
  const bars = hourly([100, 103, 101, 80]);
  const label = { kind: 'binaryForwardReturn', horizons: [1], by: 'fixed', threshold: 0.02 };
  const { values } = buildLabels(label, bars, calendarFor('24x7'));
  assert.deepEqual([...values], [1, 0, 0, NaN]);
});

test('a label of a spec: its kind may be left out, its settings are its own', () => {
  assert.deepEqual(labelSchema.parse({}), { kind: 'forwardLogReturn', horizons: [7, 14, 30] });
  const parsed = labelSchema.parse({ kind: 'threeClass', k: 1 });
  assert.deepEqual([parsed.horizons, parsed['k'], parsed['by']], [[4], 1, 'volatility']);
  assert.deepEqual(labelSchema.parse(parsed), parsed);
  assert.equal(labelSchema.safeParse({ kind: 'forwardReturn', k: 1 }).success, false);
  assert.equal(labelSchema.safeParse({ kind: 'nothing' }).success, false);
});
