/** The loss monitor: normalised losses, the calibration of its threshold, its steps. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  blockOf,
  calibrateCusum,
  calibrationSchema,
  cusumStateSchema,
  dailyMeans,
  ewmaVariance,
  lossVariance,
  normalisedLosses,
  runCusum,
  startCusum,
  stepCusum,
  varianceFloor,
  type Calibration,
  type CusumState,
} from '../../../core/drift/index.ts';
import { normals } from '../evaluation/planted.ts';

const DAY_MS = 86_400_000;
const draw = (seed: number, n: number): Float64Array =>
  Float64Array.from({ length: n }, normals(seed));
const squares = (seed: number, n: number): Float64Array => draw(seed, n).map((x) => x * x);
const daysOf = (values: Float64Array, from = 0) => ({
  values,
  times: values.map((_, i) => (from + i) * DAY_MS),
});
const OPTIONS = { perYear: 252, block: 21, seed: 1 };

function calibrated(values: Float64Array, options = {}): Calibration {
  const result = calibrateCusum(values, { ...OPTIONS, ...options });
  assert.ok(result.status === 'calibrated');
  return result;
}

describe('normalised losses', () => {
  test('variance by hand, holes left out', () => {
    const v = ewmaVariance(Float64Array.of(NaN, 2, NaN, 4), 0.5);
    assert.deepEqual([...v], [NaN, 4, 4, 10]);
  });

  test('the variance of a loss is not known before its bars are over, and does not change after', () => {
    const returns = draw(1, 200);
    for (const [horizon, wait] of [
      [1, 10],
      [30, 30],
    ] as const) {
      const whole = lossVariance(returns, horizon);
      assert.ok(Number.isFinite(whole[199 - wait]!) && Number.isNaN(whole[200 - wait]!));
      const prefix = lossVariance(returns.subarray(0, 150), horizon);
      assert.deepEqual(prefix.subarray(0, 150 - wait), whole.subarray(0, 150 - wait));
    }
  });

  test('losses of a market ten times as wild are the same, and those of a worse model are not', () => {
    const returns = draw(2, 300);
    const of = (scale: number, worse: number): Float64Array => {
      const scaled = returns.map((r) => scale * r);
      const variance = lossVariance(scaled, 1);
      const loss = scaled.map((r) => worse * r * r);
      const floor = varianceFloor(variance);
      return normalisedLosses({ losses: [{ horizon: 1, weight: 1, loss }], variance, floor });
    };
    const [calm, wild, worse] = [of(1, 1), of(10, 1), of(1, 2)];
    for (let t = 0; t < 290; t++) {
      assert.ok(Math.abs(wild[t]! - calm[t]!) < 1e-9);
      assert.ok(Math.abs(worse[t]! - 2 * calm[t]!) < 1e-9);
    }
    assert.ok(Number.isNaN(calm[295]!), 'not settled yet');
  });

  test('horizons by weight, variance by bar, and a floor under a frozen market', () => {
    const u = normalisedLosses({
      losses: [
        { horizon: 1, weight: 0.5, loss: Float64Array.of(4, 4, NaN) },
        { horizon: 4, weight: 1.5, loss: Float64Array.of(8, 8, 8) },
      ],
      variance: Float64Array.of(2, 0, 2),
      floor: 0.5,
    });
    // (0.5 * 4/2 + 1.5 * 8/(2 * 4)) / 2, then with .5 in place of 2.
    assert.deepEqual([...u], [1.25, 5, NaN]);
    assert.throws(
      () =>
        normalisedLosses({
          losses: [{ horizon: 1, weight: 1, loss: new Float64Array(2) }],
          variance: new Float64Array(3),
          floor: 0,
        }),
      { code: 'drift.lengths' },
    );
  });

  test('daily means leave out days that are not over and hours that are not settled', () => {
    const hour = DAY_MS / 24;
    const times = Float64Array.from({ length: 72 }, (_, i) => i * hour);
    const values = times.map((_, i) => (i === 5 ? NaN : i < 24 ? 1 : i));
    const means = dailyMeans(times, values, 2 * DAY_MS);
    assert.deepEqual([...means.values], [1, 24 + 11.5]);
    assert.deepEqual([...means.times], [23 * hour, 47 * hour]);
    assert.equal(dailyMeans(times, values, 2 * DAY_MS - 1).values.length, 1);
  });

  test('blocks are as long as the overlap of labels', () => {
    assert.deepEqual([blockOf(1, '1d'), blockOf(30, '1d')], [21, 90]);
    assert.deepEqual([blockOf(1, '1h'), blockOf(12, '1h'), blockOf(96, '1h')], [10, 10, 12]);
  });
});

describe('the calibration', () => {
  const history = squares(3, 1000);

  test('keeps what it rests on, as JSON', () => {
    const calibration = calibrated(history, { floor: 0.01 });
    assert.deepEqual(calibrationSchema.parse(JSON.parse(JSON.stringify(calibration))), calibration);
    const mean = history.reduce((sum, x) => sum + x, 0) / 1000;
    assert.ok(Math.abs(calibration.mean0 - mean) < 1e-12);
    assert.ok(Math.abs(calibration.k - (0.25 + 2 * calibration.se)) < 1e-12);
    // Independent values: SE = 1 / sqrt(n) up to the noise of 47 block means; clipping takes a little.
    assert.ok(Math.abs(calibration.se - 1 / Math.sqrt(1000)) < 0.01, String(calibration.se));
    assert.equal(
      calibration.histogram.counts.reduce((sum, n) => sum + n, 0),
      1000,
    );
    assert.equal(calibration.histogram.edges.length, calibration.histogram.counts.length + 1);
  });

  test('a tenth of the bootstrapped years passes the threshold, and fewer a higher one', () => {
    const { histogram, c } = calibrated(history);
    const above = histogram.counts.reduce((n, at, i) => n + (histogram.edges[i]! >= c ? at : 0), 0);
    assert.ok(above >= 50 && above <= 100, String(above));
    const thresholds = [0.5, 0.25, 0.1, 0.02].map((rate) => calibrated(history, { rate }).c);
    assert.deepEqual(
      thresholds,
      thresholds.toSorted((a, b) => a - b),
    );
    assert.ok(calibrated(history, { perYear: 1000 }).c > c, 'a longer year has larger sums');
  });

  test('units and holes do not matter, the seed decides the rest', () => {
    const calibration = calibrated(history);
    const scaled = calibrated(history.map((u) => 8 * u));
    assert.ok(Math.abs(scaled.c - calibration.c) < 1e-9);
    const holed = new Float64Array(1100).fill(NaN);
    holed.set(history, 50);
    assert.deepEqual(calibrated(holed), calibration);
    assert.deepEqual(calibrated(history), calibration);
    assert.notEqual(calibrated(history, { seed: 2 }).c, calibration.c);
  });

  test('losses that hang together need a higher threshold', () => {
    const waves = draw(4, 1000);
    for (let t = 1; t < 1000; t++) waves[t] = 0.9 * waves[t - 1]! + 0.44 * waves[t]!;
    assert.ok(calibrated(waves).c > 2 * calibrated(draw(5, 1000)).c);
  });

  test('says why it cannot be made, and refuses options out of range', () => {
    const few = calibrateCusum(history.subarray(0, 399), OPTIONS);
    assert.ok(few.status === 'notCalibrated');
    assert.deepEqual([few.values, few.needed], [399, 400]);
    assert.match(few.reason, /399 settled losses, and 400/);
    assert.equal(
      calibrateCusum(
        history.map(() => 0.1),
        OPTIONS,
      ).status,
      'notCalibrated',
    );
    assert.equal(calibrateCusum(history, { ...OPTIONS, block: 600 }).status, 'notCalibrated');
    for (const wrong of [{ perYear: 0 }, { block: 1.5 }, { rate: 1 }, { paths: 0 }]) {
      assert.throws(() => calibrateCusum(history, { ...OPTIONS, ...wrong }), {
        code: 'drift.plan',
      });
    }
  });
});

describe('the steps', () => {
  const calibration: Calibration = {
    ...calibrated(squares(6, 500)),
    mean0: 1,
    sd0: 2,
    k: 0.5,
    c: 3,
    cooldown: 2,
  };

  test('by hand: sum, clip, alarm, reset, cooldown', () => {
    // z = 2, then 10 clipped to 6.
    const { path, state, alarms } = runCusum(
      startCusum(),
      daysOf(Float64Array.of(5, -1, 21, 21, 21, 5, 1)),
      calibration,
    );
    assert.deepEqual(
      path.map(({ s, alarm }) => [s, alarm]),
      [
        [1.5, false],
        [0, false],
        [5.5, true],
        [0, false],
        [0, false],
        [1.5, false],
        [1, false],
      ],
    );
    assert.deepEqual(alarms, ['1970-01-03T00:00:00.000Z']);
    assert.deepEqual(state, {
      s: 1,
      cooldown: 0,
      values: 7,
      alarms: 1,
      lastTime: '1970-01-07T00:00:00.000Z',
      lastAlarm: '1970-01-03T00:00:00.000Z',
    });
  });

  test('restartable at any point, from JSON, and a repeated value counts once', () => {
    const u = squares(7, 300).map((x) => 3 * x);
    const whole = runCusum(startCusum(), daysOf(u), calibration);
    assert.ok(whole.alarms.length > 0);
    for (const cut of [1, 57, 299]) {
      const first = runCusum(startCusum(), daysOf(u.subarray(0, cut)), calibration);
      const stored: CusumState = cusumStateSchema.parse(JSON.parse(JSON.stringify(first.state)));
      // The second run reads ten values again.
      const from = Math.max(0, cut - 10);
      const second = runCusum(stored, daysOf(u.subarray(from), from), calibration);
      assert.deepEqual(second.state, whole.state);
      assert.deepEqual([...first.path, ...second.path], whole.path);
      assert.deepEqual([...first.alarms, ...second.alarms], whole.alarms);
    }
  });

  test('a loss that is not known yet is skipped and read when it is', () => {
    const state = stepCusum(startCusum(), 5, 0, calibration).state;
    const skipped = stepCusum(state, NaN, DAY_MS, calibration);
    assert.deepEqual(skipped, { state, z: null, alarm: false });
    assert.equal(stepCusum(skipped.state, 5, DAY_MS, calibration).state.values, 2);
  });

  test('higher losses never alarm later', () => {
    const u = squares(8, 400);
    const firstAlarm = (shift: number): number => {
      const { path } = runCusum(startCusum(), daysOf(u.map((x) => x + shift)), calibration);
      const at = path.findIndex(({ alarm }) => alarm);
      return at < 0 ? Infinity : at;
    };
    const at = [0, 0.5, 1, 2, 4].map(firstAlarm);
    assert.ok(
      at.every((value, i) => i === 0 || value <= at[i - 1]!),
      at.join(' '),
    );
    assert.ok(at.at(-1)! < 10);
  });
});
