import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarFor, calendars } from '../../../core/calendar/index.ts';
import { dailyBars, indexBars, skipWithoutLab } from '../../support/lab-data.ts';
import { seeded } from '../../support/made-bars.ts';

const nyse = calendarFor('nyse');
const always = calendarFor('24x7');
const at = (date: string): number => Date.parse(`${date}T00:00:00Z`);
const iso = (ms: number): string => new Date(ms).toISOString();

test('an unknown calendar is refused with the names there are', () => {
  assert.throws(() => calendarFor('lse'), /no calendar "lse"; there are: nyse, 24x7/);
});

test('nyse: every session of the bundled index bars and no other', () => {
  for (const name of ['sp500', 'nasdaq'] as const) {
    const { openTime } = indexBars(name);
    assert.deepEqual(nyse.between(openTime[0]!, openTime.at(-1)!, '1d'), openTime);
  }
});

test(
  'nyse: 52 years of ^IXIC, 63 of KO, and 96 of ^GSPC without Saturdays',
  {
    skip: skipWithoutLab,
  },
  () => {
    for (const name of ['index/IXIC', 'stocks/KO', 'index/GSPC']) {
      const { openTime } = dailyBars(name);
      const sessions = nyse.between(openTime[0]!, openTime.at(-1)!, '1d');
      const isSaturday = (t: number): boolean => new Date(t).getUTCDay() === 6;
      assert.deepEqual(
        sessions.filter((t) => !isSaturday(t)),
        openTime,
        name,
      );
    }
  },
);

test('nyse: holidays, ad-hoc closures, Saturdays until 1952', () => {
  const closed = ['2001-09-11', '2001-09-14', '2004-06-11', '2007-01-02', '2012-10-29'];
  for (const date of [...closed, '2018-12-05', '2023-07-04', '2024-01-06', '1968-06-12']) {
    assert.equal(nyse.isOpen(at(date), '1d'), false, date);
  }
  for (const date of ['1952-05-24', '1929-10-26', '2001-09-17', '2023-11-24']) {
    assert.equal(nyse.isOpen(at(date), '1d'), true, date);
  }
  assert.equal(nyse.isOpen(at('1952-05-31'), '1d'), false);
  assert.equal(nyse.isOpen(at('2023-07-05') + 1, '1d'), false, 'not midnight');
});

test('nyse: closing times follow daylight saving and half days', () => {
  assert.equal(iso(nyse.closeTime(at('2023-07-24'), '1d')), '2023-07-24T20:00:00.000Z');
  assert.equal(iso(nyse.closeTime(at('2023-12-26'), '1d')), '2023-12-26T21:00:00.000Z');
  assert.equal(iso(nyse.closeTime(at('2023-11-24'), '1d')), '2023-11-24T18:00:00.000Z');
  assert.equal(iso(nyse.closeTime(at('2050-01-03'), '1d')), '2050-01-03T21:00:00.000Z');
});

test('nyse: thirty sessions are about 43 days', () => {
  assert.equal(iso(nyse.addBars(at('2018-12-31'), 30, '1d')).slice(0, 10), '2019-02-13');
  assert.equal(iso(nyse.addBars(at('2019-02-13'), -30, '1d')).slice(0, 10), '2018-12-31');
  // From a day without a session: the h-th session after the last one before it.
  assert.equal(iso(nyse.addBars(at('2019-01-01'), 1, '1d')).slice(0, 10), '2019-01-02');
});

test('nyse: weekdays go on beyond the table', () => {
  const last = nyse.indexOf(at('2040-12-31'), '1d');
  assert.equal(iso(nyse.openTimeAt(last + 1, '1d')).slice(0, 10), '2041-01-01');
  assert.equal(iso(nyse.openTimeAt(last + 4, '1d')).slice(0, 10), '2041-01-04');
  assert.equal(iso(nyse.openTimeAt(last + 6, '1d')).slice(0, 10), '2041-01-08');
});

test('nyse: nothing before its first session, and no hours', () => {
  assert.equal(nyse.indexOf(at('1884-12-31'), '1d'), -1);
  assert.throws(() => nyse.openTimeAt(-1, '1d'), /no session before 1885-01-02/);
  assert.throws(() => nyse.indexOf(0, '1h'), /daily sessions only/);
});

test('24x7: hours and days are arithmetic', () => {
  const t = Date.parse('2024-02-29T23:00:00Z');
  assert.equal(iso(always.addBars(t, 1, '1h')), '2024-03-01T00:00:00.000Z');
  assert.equal(always.closeTime(t, '1h') - t, 3_600_000);
  assert.equal(always.isOpen(t + 60_000, '1h'), false);
  assert.equal(always.between(t, t + 3 * 3_600_000, '1h').length, 4);
  assert.equal(always.between(t + 1, t + 2, '1h').length, 0);
  assert.deepEqual([always.barsPerYear('1h'), always.barsPerYear('1d')], [8760, 365]);
});

// Properties that hold for every calendar, at seeded positions.
for (const calendar of calendars.values()) {
  const timeframes = calendar.alwaysOpen ? (['1h', '1d'] as const) : (['1d'] as const);
  for (const timeframe of timeframes) {
    test(`${calendar.name} ${timeframe}: position and open time are inverse, and order is kept`, () => {
      const random = seeded(7);
      for (let n = 0; n < 2_000; n++) {
        const index = Math.floor(random() * 60_000);
        const open = calendar.openTimeAt(index, timeframe);
        assert.equal(calendar.indexOf(open, timeframe), index);
        assert.ok(calendar.isOpen(open, timeframe));
        const next = calendar.openTimeAt(index + 1, timeframe);
        assert.ok(next > open);
        assert.ok(calendar.closeTime(open, timeframe) <= next);
        // Any instant up to the next bar belongs to this one.
        assert.equal(calendar.indexOf(open + random() * (next - open - 1), timeframe), index);
        const steps = Math.floor(random() * 300);
        assert.equal(
          calendar.addBars(open, steps, timeframe),
          calendar.openTimeAt(index + steps, timeframe),
        );
        assert.equal(calendar.between(open, next, timeframe).length, 2);
      }
    });
  }
}
