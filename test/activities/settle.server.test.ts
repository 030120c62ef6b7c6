import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sliceBars, type Bars } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { simulateBars } from '../../core/sources/simulate.ts';
import { simulatedParams } from '../../core/sources/simulated.ts';
import { appendFactors } from '../../registry/bars.ts';
import { seriesSource } from '../../registry/collections.ts';
import { leftOutOfPerformance } from '../../registry/performance.ts';
import { settledAsOf } from '../../registry/lifecycle-state.ts';
import { insertOutcomes, type Outcome } from '../../registry/settling.ts';
import { seeded, withRows } from '../support/made-bars.ts';
import { MODEL } from '../support/registry-facts.ts';
import {
  INSTRUMENT,
  openSettleFixture,
  quietContext,
  varianceOf,
  type SaidPrediction,
  type SettleFixture,
} from '../support/settle-fixture.ts';

const HORIZONS = [7, 14, 30];
/** Wall time: years after the bars, which therefore count as known from their close on. */
const NOW = Date.parse('2024-06-03T22:00:00Z');
const nyse = calendarFor('nyse');

const simulated = simulateBars(
  simulatedParams.parse({ start: '2015-01-02', seed: 7 }),
  'SIM-SETTLE',
  '1d',
  Date.parse('2017-01-01'),
);
const bars: Bars = { ...simulated, instrument: INSTRUMENT };
const at = (row: number): number => bars.openTime[row]!;
/** An evening at which the bar of this row is known and no later one. */
const evening = (row: number): string =>
  new Date(nyse.closeTime(at(row), '1d') + 3_600_000).toISOString();

/** Forecasts that depend on the row alone. */
function said(row: number, change: Partial<SaidPrediction> = {}): SaidPrediction {
  const random = seeded(row + 1);
  const lastClose = bars.close[row]!;
  return {
    id: `p${String(row).padStart(5, '0')}`,
    asOf: at(row),
    lastClose,
    horizons: HORIZONS.map((horizon) => {
      const forecast = (random() - 0.5) * 0.08;
      const low = lastClose * (1 + forecast - 0.04);
      return { horizon, change: forecast, interval80: [low, lastClose * (1 + forecast + 0.03)] };
    }),
    ...change,
  };
}

let fixture: SettleFixture;
const open = async (): Promise<SettleFixture> => {
  fixture = await openSettleFixture({ now: NOW });
  return fixture;
};
before(open);
after(() => fixture.close());

/** A database of one's own, for tests that move market time. */
async function fresh(): Promise<SettleFixture> {
  await fixture.close();
  await open();
  await fixture.addVersion();
  return fixture;
}

const outcomes = (): Promise<Outcome[]> =>
  fixture.db
    .selectFrom('outcome')
    .selectAll()
    .orderBy('prediction_id')
    .orderBy('horizon')
    .orderBy('revision')
    .execute();

test('a simulated series: every outcome as counted by hand, again and again the same', async () => {
  await fresh();
  await fixture.addBars(bars, { arrivedAt: NOW });
  const rows = Array.from({ length: 150 }, (_, i) => 100 + i);
  await fixture.record(rows.map((row) => said(row)));
  const asOfRow = 180;
  const first = await fixture.settle(evening(asOfRow));
  const expected = rows.flatMap((row) =>
    HORIZONS.flatMap((horizon, k) => (row + horizon <= asOfRow ? [{ row, horizon, k }] : [])),
  );
  assert.deepEqual(first, {
    settled: expected.length,
    revised: 0,
    waiting: rows.filter((row) => row + 30 > asOfRow).length,
    unknown: 0,
  });
  const stored = await outcomes();
  assert.equal(stored.length, expected.length);
  for (const [i, { row, horizon, k }] of expected.entries()) {
    const found = stored[i]!;
    const forecast = said(row).horizons[k]!;
    const actual = bars.close[row + horizon]! / bars.close[row]! - 1;
    const error = Math.log((1 + forecast.change) / (1 + actual));
    assert.deepEqual([found.prediction_id, found.horizon], [said(row).id, horizon]);
    assert.equal(found.target_time.getTime(), at(row + horizon));
    const near = (value: number | null, other: number): void =>
      assert.ok(
        Math.abs(value! - other) < 1e-9 * Math.max(1, Math.abs(other)),
        `${value} ${other}`,
      );
    near(found.actual_change, actual);
    near(found.error, error);
    near(found.scaled_loss, error ** 2 / varianceOf(horizon));
    near(found.naive_error, -Math.log(1 + actual));
    const [low, high] = forecast.interval80!;
    const close = bars.close[row + horizon]!;
    assert.equal(found.covered, close >= low && close <= high);
    const side = Math.abs(forecast.change) <= 0.005 ? 0 : Math.sign(forecast.change);
    // An index: 2 bp slippage a side.
    near(found.signal_return, side * actual - Math.abs(side) * 0.0004);
    const moved = Math.abs(actual) <= 0.005 ? 'neutral' : actual > 0 ? 'up' : 'down';
    assert.equal(found.actual_direction, moved);
  }
  assert.equal((await settledAsOf(fixture.db, MODEL))?.toISOString(), evening(asOfRow));
  assert.equal((await fixture.settle(evening(asOfRow))).settled, 0);
  assert.deepEqual(await outcomes(), stored);
  const rest = await fixture.settle(evening(280));
  assert.deepEqual([rest.settled, rest.waiting], [150 * 3 - expected.length, 0]);
  assert.equal((await fixture.settle(evening(200))).settled, 0, 'an old slot runs once more');
  assert.equal((await settledAsOf(fixture.db, MODEL))?.toISOString(), evening(280), 'never back');
});

test('every role is settled; a window and a failure are not; a fallback is marked', async () => {
  await fresh();
  await fixture.addBars(bars, { arrivedAt: NOW });
  const roles = ['champion', 'canary', 'shadow', 'pinned'] as const;
  await fixture.record([
    ...roles.map((role) => said(50, { id: role, row: { role, trial_id: `trial-${role}` } })),
    said(50, { id: 'bars', row: { input: 'bars' } }),
    said(50, { id: 'window', row: { input: 'window' } }),
    said(50, { id: 'failed', row: { role: 'shadow', error: 'no', answer: '{}' } }),
    said(50, { id: 'fallback', answer: { fallback: 'naive' } }),
    said(50, { id: 'unreadable', answer: { horizons: 'none' } }),
  ]);
  const { settled, waiting } = await fixture.settle(evening(90));
  assert.deepEqual([settled, waiting], [6 * 3, 0]);
  const found = (await outcomes()).filter(({ horizon }) => horizon === 7);
  const seen = found.map((row) => [
    row.prediction_id,
    row.role,
    row.input,
    row.fallback,
    row.trial_id,
  ]);
  assert.deepEqual(seen, [
    ['bars', 'champion', 'bars', false, null],
    ['canary', 'canary', 'instrument', false, 'trial-canary'],
    ['champion', 'champion', 'instrument', false, 'trial-champion'],
    ['fallback', 'champion', 'instrument', true, null],
    ['pinned', 'pinned', 'instrument', false, 'trial-pinned'],
    ['shadow', 'shadow', 'instrument', false, 'trial-shadow'],
  ]);
  const warned = fixture.log.lines.filter(({ level }) => level === 'warn');
  assert.equal(warned.length, 1, 'of the answer that cannot be read');
});

test('a bar that comes late is settled late, by when it was known', async () => {
  await fresh();
  const [target, lateBy] = [at(57), Date.parse(evening(60))];
  const hole = withoutRow(bars, 57);
  await fixture.addBars(sliceBars(hole, 0, 80), { arrivedAt: NOW });
  await fixture.record([said(50)]);
  assert.equal((await fixture.settle(evening(58))).settled, 0);
  // It arrives while market time is at row 60.
  await fixture.addBars(sliceBars(bars, 57, 58), { arrivedAt: lateBy });
  await fixture.db
    .updateTable('bar')
    .set({ known_at: new Date(lateBy), known_assumed: false })
    .where('open_time', '=', new Date(target))
    .execute();
  assert.equal((await fixture.settle(evening(59))).settled, 0, 'not known yet');
  const { settled } = await fixture.settle(evening(60));
  const [row] = await outcomes();
  assert.deepEqual([settled, row!.horizon, row!.known_at.getTime()], [1, 7, lateBy]);
});

test('a bar that never comes: its horizon is given up and counted, once', async () => {
  await fresh();
  await fixture.addBars(withoutRow(bars, 57), { arrivedAt: NOW });
  await fixture.record([said(50)]);
  const early = await fixture.settle(evening(76));
  assert.deepEqual([early.settled, early.unknown, early.waiting], [1, 0, 1]);
  // Row 80 lies more than 30 days behind row 57: its hole and the horizon of 30 bars are settled.
  const late = await fixture.settle(evening(80));
  assert.deepEqual([late.settled, late.unknown, late.waiting], [1, 1, 0]);
  assert.deepEqual(
    (await outcomes()).map(({ horizon }) => horizon),
    [14, 30],
  );
  assert.equal((await fixture.settle(evening(90))).unknown, 0);
  const [left] = await leftOutOfPerformance(fixture.db, { model: MODEL });
  assert.equal(left!.unknown, 1);
});

test('bars that the slot itself collects count for it, minutes after its time, if they had closed', async () => {
  await fresh();
  await fixture.addBars(sliceBars(bars, 0, 57), { arrivedAt: NOW });
  await fixture.record([said(50)]);
  const slot = Date.parse(evening(57));
  await fixture.addBars(sliceBars(bars, 57, 58), { arrivedAt: slot + 60_000 });
  assert.equal((await fixture.settle(new Date(slot - 3_600_001).toISOString())).settled, 0);
  assert.equal((await fixture.settle(new Date(slot).toISOString())).settled, 1);
});

test('a revised bar adds a revision to what rests on it, once, and only when it was known', async () => {
  await fresh();
  await fixture.addBars(bars, { arrivedAt: NOW });
  const rows = Array.from({ length: 20 }, (_, i) => 50 + i);
  await fixture.record(rows.map((row) => said(row)));
  await fixture.settle(evening(100));
  // Close of row 64 corrected: target of 57 (h 7) and 50 (h 14), base of 64 itself (three horizons).
  const corrected = withRows(bars, { 64: { close: bars.close[64]! * 1.01 } });
  const known = Date.parse(evening(102));
  await fixture.addBars(sliceBars(corrected, 60, 70), { arrivedAt: known });
  assert.equal((await fixture.settle(evening(101))).revised, 0, 'not known yet');
  const counts = await fixture.settle(evening(102));
  assert.deepEqual([counts.settled, counts.revised], [5, 5]);
  const revised = (await outcomes()).filter(({ revision }) => revision === 1);
  assert.deepEqual(
    revised.map((row) => [row.prediction_id, row.horizon]),
    [
      ['p00050', 14],
      ['p00057', 7],
      ['p00064', 7],
      ['p00064', 14],
      ['p00064', 30],
    ],
  );
  const change = (bars.close[64]! * 1.01) / bars.close[50]! - 1;
  assert.ok(Math.abs(revised[0]!.actual_change - change) < 1e-12);
  assert.equal(revised[0]!.known_at.getTime(), known);
  assert.equal(revised[0]!.forecast_change, said(50).horizons[1]!.change);
  assert.equal((await fixture.settle(evening(102))).revised, 0);
  assert.equal((await fixture.settle(evening(103))).revised, 0);
});

test('a split whose factor comes late revises what reaches across it', async () => {
  await fresh();
  // Raw prices halve in row 60; nobody says why yet.
  const raw = { ...bars, close: bars.close.map((close, i) => (i >= 60 ? close / 2 : close)) };
  await fixture.addBars(raw, { arrivedAt: NOW });
  await fixture.record([said(50), said(55), said(62)]);
  await fixture.settle(evening(70));
  const before = await outcomes();
  assert.ok(before.find((row) => row.prediction_id === 'p00055')!.actual_change < -0.4);
  const source = seriesSource(fixture.deps.datasets.get('sp500-daily')!);
  const series = { instrument: INSTRUMENT, source };
  const none = [{ effectiveFrom: at(10), priceFactor: 1, splitFactor: 1 }];
  await appendFactors(fixture.db, series, none, Date.parse(evening(40)));
  const split = [{ effectiveFrom: at(60), priceFactor: 0.5, splitFactor: 0.5 }];
  await appendFactors(fixture.db, series, [...none, ...split], Date.parse(evening(71)));
  const { revised } = await fixture.settle(evening(71));
  const now = (await outcomes()).filter(({ revision }) => revision === 1);
  assert.equal(revised, now.length);
  assert.deepEqual(
    now.map((row) => [row.prediction_id, row.horizon]),
    [
      ['p00050', 14],
      ['p00055', 7],
      ['p00055', 14],
    ],
    'not what ended before the split, nor what began after it',
  );
  for (const row of now) {
    const from = row.prediction_id === 'p00050' ? 50 : 55;
    const change = bars.close[from + row.horizon]! / bars.close[from]! - 1;
    assert.ok(Math.abs(row.actual_change - change) < 1e-12);
    assert.ok(Math.abs(row.last_close - bars.close[from]! / 2) < 1e-9, 'as of the target bar');
  }
});

test('without its package a version has outcomes and no scaled loss', async () => {
  await fresh();
  await fixture.addBars(bars, { arrivedAt: NOW });
  const version = await fixture.addVersion({ packaged: false });
  await fixture.record([said(50, { version }), said(51)]);
  assert.equal((await fixture.settle(evening(90))).settled, 6);
  const found = await outcomes();
  assert.deepEqual(
    found.map((row) => row.scaled_loss === null),
    [true, true, true, false, false, false],
  );
});

test('a settling that stops half-way: the next attempt does the rest, nothing twice', async () => {
  await fresh();
  await fixture.addBars(bars, { arrivedAt: NOW });
  // More than one chunk; many callers asked at the same bars.
  const many = Array.from({ length: 2_500 }, (_, i) =>
    said(50 + (i % 100), { id: `q${String(i).padStart(6, '0')}` }),
  );
  await fixture.record(many);
  const stopped = quietContext();
  let beats = 0;
  stopped.on('heartbeat', () => {
    if (++beats === 2) stopped.cancel();
  });
  await assert.rejects(fixture.settle(evening(250), stopped), /CANCELLED|cancel/i);
  const half = (await outcomes()).length;
  assert.ok(half > 0 && half < many.length * 3, `${half} outcomes`);
  assert.equal(await settledAsOf(fixture.db, MODEL), null);
  const { settled, waiting } = await fixture.settle(evening(250));
  assert.deepEqual([settled + half, waiting], [many.length * 3, 0]);
});

test('two settlings at once write each outcome once', async () => {
  await fresh();
  await fixture.addBars(bars, { arrivedAt: NOW });
  await fixture.record(Array.from({ length: 100 }, (_, i) => said(50 + i)));
  const both = await Promise.all([fixture.settle(evening(250)), fixture.settle(evening(250))]);
  assert.equal(both[0].settled + both[1].settled, 300);
  assert.equal((await outcomes()).length, 300);
  assert.equal(await insertOutcomes(fixture.db, []), 0);
});

test('tens of thousands of predictions: measured, not limited', async (t) => {
  await fresh();
  await fixture.addBars(bars, { arrivedAt: NOW });
  const count = 30_000;
  await fixture.record(
    Array.from({ length: count }, (_, i) => said(50 + (i % 300), { id: `r${i + 100_000}` })),
  );
  const from = performance.now();
  const { settled } = await fixture.settle(evening(450));
  t.diagnostic(
    `${count} predictions, ${settled} outcomes: ${Math.round(performance.now() - from)} ms`,
  );
  assert.equal(settled, count * 3);
});

function withoutRow(all: Bars, row: number): Bars {
  const keep = (column: Float64Array): Float64Array => column.filter((_, i) => i !== row);
  const { open: o, high, low, close, volume, value, openTime } = all;
  return {
    ...all,
    ...{ openTime: keep(openTime), open: keep(o), high: keep(high), low: keep(low) },
    ...{ close: keep(close), volume: keep(volume), value: keep(value) },
  };
}
