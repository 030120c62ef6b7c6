import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  joinSeries,
  mergeSources,
  newVintages,
  sliceBars,
  type Bars,
  type MergedBars,
  type SeriesColumn,
  type SeriesPoint,
} from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { seeded, walkBars } from '../../support/made-bars.ts';

const nyse = calendarFor('nyse');
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const columns: readonly SeriesColumn[] = [
  { name: 'level', quantity: 'x', join: 'last' },
  { name: 'mean', quantity: 'x', join: 'mean' },
  { name: 'count', quantity: 'x', join: 'count' },
];

const merged = (bars: Bars): MergedBars => mergeSources([{ name: 'p', role: 'primary', bars }])!;

function joined(bars: Bars, x: readonly SeriesPoint[]): Record<string, number[]> {
  const { bars: out } = joinSeries(merged(bars), [{ name: 's', columns, points: { x } }], nyse);
  return Object.fromEntries(
    Object.entries(out.exogenous!).map(([name, column]) => [name, Array.from(column)]),
  );
}

const closeOf = (bars: Bars, i: number): number => nyse.closeTime(bars.openTime[i]!, '1d');

test('a value known at the close is used, one known a minute later only at the next bar', () => {
  const bars = walkBars(10);
  const at = (knownAt: number): number[] =>
    joined(bars, [{ time: 0, knownAt, value: 7 }])['s.level']!;
  const only = (row: number): number[] =>
    Array.from({ length: 10 }, (_, i) => (i === row ? 7 : NaN));
  assert.deepEqual(at(closeOf(bars, 4)), only(4));
  assert.deepEqual(at(closeOf(bars, 4) + MINUTE_MS), only(5));
  assert.deepEqual(at(closeOf(bars, 4) + 1), only(5));
  assert.deepEqual(at(closeOf(bars, 9) + 1), only(-1));
});

test('what became known on a weekend stands at Monday, also where Monday is the first bar', () => {
  const bars = walkBars(10, { from: '2015-01-02' });
  const weekend = Date.parse('2015-01-03T12:00:00Z');
  const point = { time: 0, knownAt: weekend, value: 7 };
  assert.equal(joined(bars, [point])['s.level']![1], 7);
  assert.equal(joined(sliceBars(bars, 1), [point])['s.level']![0], 7);
  // What was known at Friday's close is no news of Monday, whichever bar is the first.
  const friday = { time: 0, knownAt: closeOf(bars, 0), value: 7 };
  assert.equal(joined(bars, [friday])['s.level']![0], 7);
  assert.equal(joined(sliceBars(bars, 1), [friday])['s.level']![0], NaN);
});

test('of several values known at once the newest period gives the level; a revision of an older one gives none', () => {
  const bars = walkBars(6);
  const release = closeOf(bars, 2) - HOUR_MS;
  const later = closeOf(bars, 4) - HOUR_MS;
  const points = [
    { time: 2 * DAY_MS, knownAt: release, value: 20 },
    { time: 1 * DAY_MS, knownAt: release, value: 11 },
    { time: 1 * DAY_MS, knownAt: later, value: 12 },
  ];
  assert.deepEqual(joined(bars, points)['s.level'], [NaN, NaN, 20, NaN, NaN, NaN]);
  const revised = [...points, { time: 2 * DAY_MS, knownAt: later, value: 21 }];
  assert.deepEqual(joined(bars, revised)['s.level'], [NaN, NaN, 20, NaN, 21, NaN]);
});

test('events are counted and averaged over what became known since the bar before', () => {
  const bars = walkBars(4);
  const points = [1, 2, 6].map((value, i) => ({
    time: closeOf(bars, 1) - (3 - i) * MINUTE_MS,
    knownAt: closeOf(bars, 1) - (2 - i) * MINUTE_MS,
    value,
    key: String(i),
  }));
  const { 's.mean': mean, 's.count': count } = joined(bars, points);
  assert.deepEqual(mean, [NaN, 3, NaN, NaN]);
  assert.deepEqual(count, [NaN, 3, NaN, NaN]);
});

test('property: what is known later never changes an earlier row, nor does the order of points', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const bars = walkBars(60, { seed });
    const [start, end] = [bars.openTime[0]! - 5 * DAY_MS, bars.openTime[59]! + 5 * DAY_MS];
    const points: SeriesPoint[] = Array.from({ length: 80 }, (_, i) => {
      const time = Math.floor(start + random() * (end - start));
      const knownAt = Math.floor(time + random() * 10 * DAY_MS);
      return { time: time - (time % DAY_MS), knownAt, value: random(), key: String(i % 3) };
    });
    const all = joined(bars, points);
    const shuffled = points.toSorted((a, b) => a.value - b.value);
    assert.deepEqual(joined(bars, shuffled), all);
    const cut = Math.floor(random() * 60);
    const early = joined(
      bars,
      points.filter(({ knownAt }) => knownAt <= closeOf(bars, cut)),
    );
    const prefix = joined(sliceBars(bars, 0, cut + 1), points);
    for (const [name, column] of Object.entries(all)) {
      assert.deepEqual(early[name]!.slice(0, cut + 1), column.slice(0, cut + 1));
      assert.deepEqual(prefix[name], column.slice(0, cut + 1));
      // Whichever bar comes first, the others stay: serving reads a part of the history.
      assert.deepEqual(joined(sliceBars(bars, cut), points)[name], column.slice(cut));
    }
  }
});

const live = { arrivedAt: 1000 * DAY_MS, liveMs: DAY_MS };

test('vintages: a backfill keeps its dates, a live value is known from its arrival on', () => {
  const old = { time: 0, knownAt: 10 * DAY_MS, value: 1 };
  const future = { time: 1, knownAt: 1001 * DAY_MS, value: 2 };
  const fresh = { time: 2, knownAt: live.arrivedAt - HOUR_MS, value: 3 };
  assert.deepEqual(newVintages([], [old, future, fresh], live), [
    old,
    { ...fresh, knownAt: live.arrivedAt },
    future,
  ]);
});

test('vintages: repeated ones add nothing, new ones go on, another past counts from its arrival', () => {
  const [a, b, back] = [1, 2, 1].map((value, i) => ({
    time: 0,
    knownAt: (10 + i) * DAY_MS,
    value,
  })) as [SeriesPoint, SeriesPoint, SeriesPoint];
  const repeated = { ...a, knownAt: a.knownAt + HOUR_MS };
  assert.deepEqual(newVintages([], [a, repeated, b], live), [a, b]);
  assert.deepEqual(newVintages([a, b], [a, repeated, b], live), []);
  // It came back to the first value: that is a third vintage.
  assert.deepEqual(newVintages([a, b], [a, b, back], live), [back]);
  // Without vintages a source tells only what it thinks now, under the old date.
  const revised = { ...a, value: 5 };
  assert.deepEqual(newVintages([a], [revised], live), [{ ...revised, knownAt: live.arrivedAt }]);
  const stored = [a, { ...revised, knownAt: live.arrivedAt }];
  assert.deepEqual(newVintages(stored, [revised], { ...live, arrivedAt: 1001 * DAY_MS }), []);
});
