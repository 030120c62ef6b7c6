import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarFor } from '../../../core/calendar/index.ts';
import { barPositions } from '../../../core/indicators/index.ts';
import { anchorRow, eachRun } from '../../../core/indicators/anchors.ts';
import {
  barsSinceMax,
  windowMax,
  windowMin,
  windowSd,
  windowSquares,
  windowSum,
} from '../../../core/indicators/windows.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const HOUR = 3_600_000;
const calendar = calendarFor('24x7');

/** Hours with single holes and one long hole, so that windows touch one, two and many blocks. */
const holed = (): Float64Array => {
  const uniform = seededUniform(1);
  const times: number[] = [];
  for (let hour = 0; times.length < 600; hour++) {
    if (hour === 300) hour += 400;
    if (uniform() > 0.1) times.push(hour * HOUR + 50 * 365 * 24 * HOUR);
  }
  return Float64Array.from(times);
};
const whole = (): Float64Array =>
  Float64Array.from({ length: 600 }, (_, i) => (i + 438_017) * HOUR);

const naive = (x: Float64Array, t: number, n: number): number[] => [...x.slice(t - n + 1, t + 1)];

for (const [name, times] of [
  ['whole', whole()],
  ['holed', holed()],
] as const) {
  test(`window statistics over ${name} bars equal those of each window by itself`, () => {
    const uniform = seededUniform(2);
    const x = Float64Array.from(times, () => 1000 + uniform());
    const positions = barPositions(times, calendar, '1h');
    for (const n of [1, 2, 3, 5, 17, 60, 250]) {
      const sum = windowSum(x, n, positions);
      const max = windowMax(x, n, positions);
      const min = windowMin(x, n, positions);
      const squares = windowSquares(x, n, positions);
      const age = barsSinceMax(x, n, positions);
      for (let t = 0; t < x.length; t++) {
        if (t < n - 1) {
          for (const out of [sum, max, min, squares, age]) assert.ok(Number.isNaN(out[t]));
          continue;
        }
        const window = naive(x, t, n);
        const total = window.reduce((a, b) => a + b, 0);
        const ss = window.reduce((a, b) => a + (b - total / n) ** 2, 0);
        assert.ok(Math.abs(sum[t]! - total) <= 1e-9, `sum ${n} row ${t}`);
        assert.equal(max[t], Math.max(...window), `max ${n} row ${t}`);
        assert.equal(min[t], Math.min(...window), `min ${n} row ${t}`);
        assert.ok(Math.abs(squares[t]! - ss) <= 1e-9 * (1 + ss), `squares ${n} row ${t}`);
        assert.equal(age[t], n - 1 - window.lastIndexOf(Math.max(...window)), `age ${n} row ${t}`);
      }
    }
  });
}

test('a NaN is in the windows that hold it and in no other', () => {
  const times = whole();
  const x = new Float64Array(600).fill(2);
  x[100] = NaN;
  const positions = barPositions(times, calendar, '1h');
  for (const f of [windowSum, windowMax, windowMin, windowSquares]) {
    const out = f(x, 20, positions);
    for (let t = 19; t < 600; t++) assert.equal(Number.isNaN(out[t]), t >= 100 && t < 120, `${t}`);
  }
});

test('constant windows after wild ones have an SD of exactly 0', () => {
  const times = whole();
  const uniform = seededUniform(3);
  const x = Float64Array.from({ length: 600 }, (_, t) => (t < 300 ? 1e9 * uniform() : 0.1));
  const sd = windowSd(x, 20, barPositions(times, calendar, '1h'), 1);
  for (let t = 319; t < 600; t++) assert.equal(sd[t], 0);
});

test('tiny deviations from a large level keep their SD', () => {
  const times = whole();
  const x = Float64Array.from({ length: 600 }, (_, t) => 1e6 + (t % 2) * 1e-4);
  const sd = windowSd(x, 20, barPositions(times, calendar, '1h'), 0);
  for (let t = 19; t < 600; t++) assert.ok(Math.abs(sd[t]! / 5e-5 - 1) < 1e-5);
});

test('runs cover every row once, each from the anchor that belongs to it', () => {
  for (const times of [whole(), holed()]) {
    const positions = barPositions(times, calendar, '1h');
    for (const memory of [10, 100, 224, 400, 1000]) {
      const starts = new Int32Array(600).fill(-1);
      eachRun(positions, memory, (start, from, to) => {
        for (let t = from; t < to; t++) {
          assert.equal(starts[t], -1);
          starts[t] = start;
        }
      });
      for (let t = 0; t < 600; t++) assert.equal(starts[t], anchorRow(positions, t, memory));
    }
  }
});
