import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lossesByTime, monitoredSeries } from '../../../core/drift/loss-history.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test('losses are weighted over horizons, divided by the known variance, averaged over instruments', () => {
  const { times, values } = lossesByTime(
    {
      horizons: [1, 4],
      weights: [3, 1],
      // Two instruments at time 20, one at 10; the row at 30 is not settled over its longer horizon.
      time: Float64Array.of(20, 10, 20, 30),
      kind: 'squaredError' as const,
      loss: Float64Array.of(1, 8, 2, 0, 4, 0, 1, NaN),
      variance: Float64Array.of(1, 2, 0.1, 1),
    },
    0.5,
  );
  assert.deepEqual([...times], [10, 20]);
  // (3 x 1/1 + 8/(1 x 4)) / 4 = 1.25 and (3 x 4/.5 + 0) / 4 = 6, its variance being raised to the floor.
  assert.deepEqual([...values], [0.75, (1.25 + 6) / 2]);
});

test('hourly losses become means of whole days; days of few hours, and unfinished ones, are left out', () => {
  const hours = [
    ...Array.from({ length: 24 }, (_, h) => h * HOUR),
    ...Array.from({ length: 11 }, (_, h) => DAY + h * HOUR),
    ...Array.from({ length: 12 }, (_, h) => 2 * DAY + h * HOUR),
    ...Array.from({ length: 24 }, (_, h) => 3 * DAY + h * HOUR),
  ];
  const series = {
    times: Float64Array.from(hours),
    values: Float64Array.from(hours, (time) => 1 + Math.floor(time / DAY)),
  };
  const found = monitoredSeries(series, '1h', 4 * DAY - HOUR);
  assert.deepEqual([...found.values], [1, 3]);
  assert.deepEqual([...found.times], [23 * HOUR, 2 * DAY + 11 * HOUR]);
  assert.deepEqual(found.thinDays, [DAY]);
  assert.equal(monitoredSeries(series, '1h', 4 * DAY).values.length, 3);
  assert.deepEqual(monitoredSeries(series, '1d', 0), { ...series, thinDays: [] });
});

test('losses of classes are excesses over the class shares: weighted, and divided by no variance', () => {
  const { times, values } = lossesByTime(
    {
      horizons: [1, 4],
      weights: [3, 1],
      time: Float64Array.of(20, 10),
      kind: 'excess',
      loss: Float64Array.of(0.1, -0.3, 0.2, NaN),
      variance: Float64Array.of(NaN, NaN),
    },
    0,
  );
  assert.deepEqual([...times], [20]);
  assert.ok(Math.abs(values[0]! - (3 * 0.1 - 0.3) / 4) < 1e-15);
});
