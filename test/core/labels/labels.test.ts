import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { buildLabels, labelKindOrThrow, labelKinds } from '../../../core/labels/index.ts';
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

test('every kind: value, price and return agree, and "unchanged" means the last close', () => {
  for (const kind of labelKinds) {
    const learnt = kind.value(80, 88);
    assert.ok(Math.abs(kind.priceFrom(learnt, 80) - 88) < 1e-12, kind.name);
    assert.ok(Math.abs(kind.returnFrom(learnt) - 0.1) < 1e-12, kind.name);
    assert.equal(kind.priceFrom(kind.unchanged, 80), 80);
    assert.equal(kind.value(80, 80), kind.unchanged);
    assert.equal(kind.returnFrom(kind.unchanged), 0);
  }
});

test('forwardPrice is learnt as a ratio and multiplied by the close in the graph', () => {
  const kind = labelKindOrThrow('forwardPrice');
  assert.equal(kind.value(2000, 2100), 1.05);
  assert.equal(kind.multiplyByClose, true);
  assert.deepEqual(
    labelKinds.filter((k) => k.multiplyByClose).map((k) => k.name),
    ['forwardPrice'],
  );
});

test('an unknown kind is refused with the names that exist', () => {
  assert.throws(() => labelKindOrThrow('forwardlogreturn'), /forwardLogReturn/);
});
