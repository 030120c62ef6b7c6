import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adjustBars } from '../../core/bars/adjust.ts';
import { sliceBars, type Bars } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { appendBars, appendFactors } from '../../registry/bars.ts';
import { startCollection } from '../../registry/collections.ts';
import { readServedBars } from '../../registry/served-bars.ts';
import { walkBars } from '../support/made-bars.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';

const calendar = calendarFor('nyse');
const source = 'served#1';
const bars = walkBars(40, { instrument: 'SPLIT' });
const at = (row: number): number => bars.openTime[row]!;
/** Raw prices halve in bar 20 and again in a session that has no bar yet. */
const factors = [
  { effectiveFrom: at(20), priceFactor: 0.25, splitFactor: 0.25 },
  { effectiveFrom: calendar.addBars(at(39), 1, '1d'), priceFactor: 0.5, splitFactor: 0.5 },
  { effectiveFrom: Date.UTC(2050, 0, 1), priceFactor: 1, splitFactor: 1 },
];

let database: TestDatabase;
before(async () => {
  database = await openTestDatabase();
  const { db } = database;
  const arrivedAt = calendar.closeTime(at(39), '1d') + 1;
  const key = { dataset: 'served', source, instrument: 'SPLIT', timeframe: '1d' as const };
  const collectionId = await startCollection(db, key, 'primary', arrivedAt);
  await appendBars(db, source, bars, { collectionId, arrivedAt, calendar, declaredDelayMs: 0 });
  await appendFactors(db, { instrument: 'SPLIT', source }, factors, arrivedAt);
});
after(() => database.close());

async function served(before?: number): Promise<Bars> {
  const sources = [{ dataset: 'served', role: 'primary' as const, source }];
  const range = { last: 1000, ...(before !== undefined && { before }) };
  return (await readServedBars(database.db, 'SPLIT', '1d', sources, range)).bars;
}

test('a split that takes effect after the last bar leaves served prices as training had them', async () => {
  const live = await served();
  assert.deepEqual(live.close, adjustBars(bars, factors, at(39)).close);
  assert.equal(live.close[39], bars.close[39], 'the last close is the raw one');
  assert.equal(live.close[19], bars.close[19]! * 0.5);
});

test('as of the past: what a dataset that ends there would have held', async () => {
  const asOf = calendar.closeTime(at(11), '1d') - 1;
  const past = await served(asOf);
  const trained = sliceBars(bars, 0, 11);
  assert.deepEqual(past.openTime, trained.openTime);
  assert.deepEqual(past.close, adjustBars(trained, factors, at(10)).close);
  assert.deepEqual(past.close, trained.close, 'no factor had taken effect');
});

test('a bounded read gives the same newest bars, and looks further back where too few are there', async () => {
  const sources = [{ dataset: 'served', role: 'primary' as const, source }];
  const read = (range: Parameters<typeof readServedBars>[4]) =>
    readServedBars(database.db, 'SPLIT', '1d', sources, range);
  const all = await read({ last: 10 });
  assert.equal(all.bars.openTime[0], at(30));
  for (const since of [at(30), at(25), at(31), at(39)]) {
    const bounded = await read({ last: 10, since });
    assert.deepEqual(bounded.bars, all.bars, `since bar ${bars.openTime.indexOf(since)}`);
    assert.equal(bounded.fromFirstBar, false);
  }
  const whole = await read({ last: 1000, since: at(5) });
  assert.equal(whole.bars.openTime.length, 40);
  assert.equal(whole.fromFirstBar, true);
});
