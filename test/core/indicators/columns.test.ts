import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barCount, sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { cci } from '../../../core/indicators/cci.ts';
import { indicatorInput, use } from '../../../core/indicators/index.ts';
import { growingInput } from '../../../core/indicators/input.ts';
import { before, kernel, minus, number, plus, times } from '../../../core/indicators/kernel.ts';
import { barPositions, columnBy, growingPositions } from '../../../core/indicators/positions.ts';
import { columnMemory } from '../../../core/wasm.ts';
import { sp500 } from '../../support/example-bars.ts';

const nyse = calendarFor('nyse');
const bars = sliceBars(sp500(), 0, 600);
const rows = barCount(bars);
const difference = kernel(2, 0, ([x, y]) => minus(x!, y!));

/** Positions whose columns lie in one memory. */
function inMemory() {
  const memory = columnMemory(16 * rows * 8);
  let used = 0;
  const newColumn = () => new Float64Array(memory.buffer, rows * 8 * used++, rows);
  const positions = growingPositions(rows, nyse, '1d', { memory, newColumn });
  positions.grow(bars.openTime, rows);
  return positions;
}

test('a formula over columns of a memory refuses what is no whole column there', () => {
  const positions = inMemory();
  const own = positions.column();
  own.set(bars.close);
  const refused = { code: 'indicators.column' };
  for (const other of [bars.close, own.subarray(1), Float64Array.from(own)]) {
    assert.throws(() => columnBy(positions, difference, [own, other]), refused);
    assert.throws(() => columnBy(positions, difference, [own, [other, 1]], [], 1), refused);
  }
  const out = columnBy(positions, difference, [own, [own, 1]], [], 1);
  assert.equal(out[5], bars.close[5]! - bars.close[4]!);
});

test('a lag that reaches before the first row is refused, wherever columns lie', () => {
  for (const positions of [inMemory(), barPositions(bars.openTime, nyse, '1d')]) {
    const column = positions.column();
    const lagged = (first: number) =>
      columnBy(positions, difference, [column, [column, 3]], [], first);
    assert.throws(() => lagged(2), { code: 'indicators.column' });
    assert.throws(() => lagged(0), { code: 'indicators.column' });
    lagged(3);
  }
});

test('rows that a formula reads on its own count as a lag does, wherever columns lie', () => {
  const five = kernel(1, 0, ([x]) => minus(x!, before(x!, 5)));
  for (const positions of [inMemory(), barPositions(bars.openTime, nyse, '1d')]) {
    const column = positions.column();
    column.set(bars.close);
    assert.throws(() => columnBy(positions, five, [[column, 2]], [], 6), {
      code: 'indicators.column',
    });
    const out = columnBy(positions, five, [[column, 2]], [], 7);
    assert.ok(Number.isNaN(out[6]));
    for (let t = 7; t < rows; t++) assert.equal(out[t], bars.close[t - 2]! - bars.close[t - 7]!);
  }
});

test('formulas that follow each other are run as one, each from its own first row on', () => {
  const memory = columnMemory(8 * rows * 8);
  let used = 0;
  const newColumn = () => new Float64Array(memory.buffer, rows * 8 * used++, rows);
  const positions = growingPositions(rows, nyse, '1d', { memory, newColumn });
  const close = positions.column();
  const seen: number[][] = [];
  const change = columnBy(positions, difference, [close, [close, 3]], [], 3);
  const scaled = kernel(1, 2, ([x], [n, m]) => plus(times(x!, n!), m!));
  const more = columnBy(positions, scaled, [change], [-0.1, 1e300]);
  positions.run((from, to) => seen.push([from, to, more[to - 1]!]));
  const last = columnBy(
    positions,
    kernel(1, 0, ([x]) => times(x!, number(2))),
    [[more, 300]],
    [],
    300,
  );
  close.set(bars.close);
  for (const to of [2, 3, 299, 302, rows]) positions.grow(bars.openTime, to);
  const expected = (t: number): number =>
    t < 3 ? NaN : (bars.close[t]! - bars.close[t - 3]!) * -0.1 + 1e300;
  for (let t = 0; t < rows; t++) {
    assert.ok(Object.is(more[t], expected(t)), `${t}`);
    assert.ok(Object.is(last[t], t < 300 ? NaN : expected(t - 300) * 2), `${t}`);
  }
  // What is no formula stands between them: it finds what those before it made, and no more.
  assert.deepEqual(
    seen,
    [2, 3, 299, 302, rows].map((to, i, all) => [i === 0 ? 0 : all[i - 1]!, to, expected(to - 1)]),
  );
});

test('features are the same bit for bit where no memory for columns can be had', () => {
  const set = featureSetOrThrow('technical-152');
  const uses = set.columns.map(({ use }) => use);
  const shape = { capacity: rows, calendar: nyse, timeframe: '1d', exogenous: [] } as const;
  const [expected, made] = [
    growingInput(shape, uses),
    growingInput(shape, uses, () => undefined),
  ].map((input) => {
    const values = new Float64Array(rows * uses.length);
    for (const [from, to] of [
      [0, 250],
      [250, 251],
      [251, rows],
    ] as const) {
      input.add(bars, from, to);
      input.write([from, to], values, from * uses.length);
    }
    return values;
  });
  assert.equal(
    made!.findIndex((value, i) => !Object.is(value, expected![i])),
    -1,
  );
});

test('the commodity channel index is the same of windows that are one formula and of longer ones', () => {
  const input = indicatorInput(bars, nyse);
  const price = bars.close.map((close, t) => (bars.high[t]! + bars.low[t]! + close) / 3);
  for (const period of [2, 3, 14, 127, 128, 129, 250]) {
    const values = input.column(use(cci, { period }));
    for (let t = period - 1; t < rows; t += 7) {
      const window = [...price.subarray(t - period + 1, t + 1)];
      const mean = window.reduce((sum, one) => sum + one, 0) / period;
      const deviation = window.reduce((sum, one) => sum + Math.abs(one - mean), 0) / period;
      const expected = (price[t]! - mean) / (1.5 * deviation);
      assert.ok(Math.abs(values[t]! - expected) < 1e-9, `${period} bars, row ${t}: ${values[t]}`);
    }
  }
});
