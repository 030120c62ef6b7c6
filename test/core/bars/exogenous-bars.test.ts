import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barsFromRows, mergeSources, type Bars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';

const nyse = { calendar: calendarFor('nyse'), delayMs: 0 };
const coins = { calendar: calendarFor('24x7'), delayMs: 0 };
const MINUTE_MS = 60_000;

/** A bar a session from Tuesday to the Monday after; each closes at the day of its month. */
function barsOf(timing: typeof nyse, but: readonly number[] = []): Bars {
  const [from, to] = [Date.parse('2024-06-04'), Date.parse('2024-06-10')];
  const days = [...timing.calendar.between(from, to, '1d')].filter(
    (time) => !but.includes(new Date(time).getUTCDate()),
  );
  return barsFromRows(
    'X',
    '1d',
    days.map((openTime) => {
      const close = new Date(openTime).getUTCDate();
      return { openTime, open: close, high: close, low: close, close, volume: 1 };
    }),
  );
}

type Side = readonly [timing: typeof nyse | undefined, bars: Bars];

/** Closes of `other` at the bars of `main`. */
function joined([timing, main]: Side, [otherTiming, other]: Side): number[] {
  const { bars } = mergeSources([
    { name: 'main', role: 'primary', bars: main, timing },
    { name: 'other', role: 'exogenous', bars: other, timing: otherTiming },
  ])!;
  return [...bars.exogenous!['other.close']!];
}

test('a day that ends at midnight is not known when an exchange closes: the day before it is', () => {
  const sessions = barsOf(nyse);
  assert.deepEqual([...sessions.close], [4, 5, 6, 7, 10]);
  const found = joined([nyse, sessions], [coins, barsOf(coins)]);
  assert.deepEqual(found, [NaN, 4, 5, 6, 9], 'Monday knows Sunday');
});

test('nothing that became known after a bar changes its row', () => {
  const sessions = barsOf(nyse);
  const other = barsOf(coins);
  const before = joined([nyse, sessions], [coins, other]);
  sessions.openTime.forEach((time, row) => {
    const closed = nyse.calendar.closeTime(time, '1d');
    const change = (column: Float64Array): Float64Array =>
      column.map((value, i) =>
        coins.calendar.closeTime(other.openTime[i]!, '1d') > closed ? 1000 + i : value,
      );
    const later = { ...other, close: change(other.close) };
    const after = joined([nyse, sessions], [coins, later]);
    assert.deepEqual(after.slice(0, row + 1), before.slice(0, row + 1), `row ${row}`);
  });
});

test('an exchange has closed when the day ends at midnight: that of the same day is known', () => {
  const found = joined([coins, barsOf(coins)], [nyse, barsOf(nyse)]);
  assert.deepEqual(found, [4, 5, 6, 7, NaN, NaN, 10]);
});

test('bars of one calendar meet at the time they open; a hole of either stays one', () => {
  const other = barsOf(nyse, [6]);
  assert.deepEqual(joined([nyse, barsOf(nyse)], [nyse, other]), [4, 5, NaN, 7, 10]);
  assert.deepEqual(joined([nyse, barsOf(nyse, [5])], [nyse, other]), [4, NaN, 7, 10]);
  assert.deepEqual(joined([undefined, barsOf(nyse)], [undefined, other]), [4, 5, NaN, 7, 10]);
});

test('a vendor that publishes later than the main one is a day behind; one as late is not', () => {
  const late = { ...nyse, delayMs: 15 * MINUTE_MS };
  const bars = barsOf(nyse);
  assert.deepEqual(joined([nyse, bars], [late, bars]), [NaN, 4, 5, 6, 7]);
  assert.deepEqual(joined([late, bars], [late, bars]), [4, 5, 6, 7, 10]);
  assert.deepEqual(joined([late, bars], [nyse, bars]), [4, 5, 6, 7, 10]);
});

test('a row is the same from whatever history it is built', () => {
  const sessions = barsOf(nyse);
  const whole = joined([nyse, sessions], [coins, barsOf(coins)]);
  const holed = joined([nyse, barsOf(nyse, [4, 6])], [coins, barsOf(coins)]);
  assert.deepEqual(holed, [whole[1], whole[3], whole[4]]);
});
