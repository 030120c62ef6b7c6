import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barCount, sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { growingInput } from '../../../core/indicators/input.ts';
import { kernel, minus } from '../../../core/indicators/kernel.ts';
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
