import assert from 'node:assert/strict';
import { test } from 'node:test';
import { regressionLabelOrThrow } from '../../../core/labels/index.ts';
import {
  NO_CONFIDENCE,
  calibrated,
  evenlySpaced,
  fitConfidence,
} from '../../../core/predict/confidence.ts';
import type { CalibrationWindow } from '../../../core/predict/confidence.ts';
import { consistencyScore, directionOf, volatility20 } from '../../../core/predict/direction.ts';
import { applyIsotonic, fitIsotonic } from '../../../core/predict/isotonic.ts';
import { summariseSamples } from '../../../core/predict/mc.ts';
import { reliabilityOf } from '../../../core/predict/reliability.ts';
import { normalBy, uniformBy } from '../../support/lstm-network.ts';

const label = regressionLabelOrThrow('forwardLogReturn');
const scaler = { kind: 'minmax' as const, offset: [-0.1], factor: [5] };
const near = (got: number, want: number, tolerance = 1e-12) =>
  assert.ok(Math.abs(got - want) <= tolerance, `${got} is not ${want}`);

test('isotonic regression pools violators: a hand-worked example', () => {
  // y = 1, 3, 2, 4 at x = 1..4: the middle two pool to 2.5.
  const map = fitIsotonic(Float64Array.of(1, 2, 3, 4), Float64Array.of(1, 3, 2, 4));
  assert.deepEqual(map, { x: [1, 2, 3, 4], y: [1, 2.5, 2.5, 4] });
  assert.equal(applyIsotonic(map, 2.7), 2.5);
  assert.equal(applyIsotonic(map, 3.5), 3.25);
  assert.equal(applyIsotonic(map, -9), 1);
  assert.equal(applyIsotonic(map, 9), 4);
});

test('isotonic maps never fall, keep the mean, and beat every other monotone map on their rows', () => {
  const uniform = uniformBy('isotonic');
  for (let round = 0; round < 50; round++) {
    const n = 1 + Math.floor(uniform() * 60);
    const x = Float64Array.from({ length: n }, () => Math.round(uniform() * 20) / 20);
    const y = Float64Array.from(x, (v) => Number(uniform() < 0.3 + 0.4 * v));
    const map = fitIsotonic(x, y);
    map.y.forEach((v, i) => assert.ok(i === 0 || v >= map.y[i - 1]!));
    map.x.forEach((v, i) => assert.ok(i === 0 || v > map.x[i - 1]!));
    const fitted = x.map((v) => applyIsotonic(map, v));
    near(fitted.reduce((a, b) => a + b) / n, y.reduce((a, b) => a + b) / n, 1e-9);
    const error = (of: (v: number) => number) =>
      x.reduce((sum, v, i) => sum + (of(v) - y[i]!) ** 2, 0);
    const best = error((v) => applyIsotonic(map, v));
    for (const slope of [0, 0.2, 0.4, 0.8]) assert.ok(best <= error((v) => 0.3 + slope * v) + 1e-9);
  }
});

test('isotonic regression of nothing, of one point, of equal x', () => {
  const none = fitIsotonic(new Float64Array(0), new Float64Array(0));
  assert.equal(applyIsotonic(none, 0.7), 0.5);
  assert.deepEqual(fitIsotonic(Float64Array.of(1, 1), Float64Array.of(0, 1)), { x: [1], y: [0.5] });
});

test('samples are summarised against the class of the answer', () => {
  // Log returns: forecast +1 % (up); samples up, up, neutral, down.
  const samples = Float64Array.of(0.02, 0.006, 0.001, -0.02);
  const [summary] = summariseSamples(samples, Float64Array.of(0.01), label, scaler);
  assert.equal(summary!.shareInClass, 0.5);
  assert.equal(summary!.shareUp, 0.75);
  const mean = (0.02 + 0.006 + 0.001 - 0.02) / 4;
  const sd = Math.sqrt(samples.reduce((s, v) => s + (v - mean) ** 2, 0) / 4);
  near(summary!.sd, sd);
  // clamp(1 - std / |mean|) on the label in the scaler's range: (v + 0.1) * 5.
  near(summary!.relativeStd, Math.min(0.9, Math.max(0.1, 1 - (sd * 5) / ((mean + 0.1) * 5))));
});

test('relativeStd is clamped, and 0.5 where the scaled mean is 0, as in the seed', () => {
  const relative = (...values: number[]) =>
    summariseSamples(Float64Array.from(values), Float64Array.of(0), label, scaler)[0]!.relativeStd;
  assert.equal(relative(-0.1, -0.1), 0.5);
  assert.equal(relative(-0.3, 0.5), 0.1);
  assert.equal(relative(0.3, 0.3), 0.9);
});

test('a sample that is not finite is an error, not a confidence', () => {
  for (const bad of [NaN, Infinity]) {
    const samples = Float64Array.of(0.1, bad);
    assert.throws(() => summariseSamples(samples, Float64Array.of(0), label, scaler), {
      code: 'predict.non-finite',
    });
  }
});

/** Windows whose samples tell the truth: the larger the share in class, the likelier the hit. */
function honestWindows(n: number, seed: string): CalibrationWindow[] {
  const uniform = uniformBy(seed);
  const normal = normalBy(`${seed}/normal`);
  return Array.from({ length: n }, () => {
    const sd = 0.01 + 0.04 * uniform();
    const forecast = 0.03;
    const share = Math.round(100 * uniform()) / 100;
    const hit = uniform() < 0.2 + 0.5 * share;
    const up = Math.abs(sd * normal());
    return {
      forecast: Float64Array.of(forecast),
      actual: Float64Array.of(hit ? 0.006 + up : -0.006 - up),
      summary: [{ sd, shareInClass: share, shareUp: share, relativeStd: 0.5 }],
    };
  });
}
const options = {
  method: 'directional' as const,
  samples: 100,
  noiseWidth: 4,
  horizons: 1,
  label,
};

test('calibration finds the planted hit rate, and the interval covers 80 % of new rows', () => {
  const calibration = fitConfidence(honestWindows(2000, 'fit'), options);
  const at = (share: number) =>
    calibrated(calibration, 0, {
      sd: 0.02,
      shareInClass: share,
      shareUp: share,
      relativeStd: 0.5,
    })!;
  for (const share of [0.1, 0.5, 0.9]) near(at(share).confidence, 0.2 + 0.5 * share, 0.08);
  const fresh = honestWindows(2000, 'fresh');
  const [reliability] = reliabilityOf(fresh, calibration, [7], label);
  near(reliability!.coverage80!, 0.8, 0.03);
  near(reliability!.statedMean!, reliability!.observedMean!, 0.04);
  assert.equal(reliability!.rows, 2000);
  for (const bin of reliability!.bins.filter(({ rows }) => rows > 200)) {
    near(bin.stated, bin.observed, 0.08);
  }
});

test('a wider spread of samples gives a wider interval, never below the 10 % quantile', () => {
  const calibration = fitConfidence(honestWindows(500, 'width'), options);
  const width = (sd: number) =>
    calibrated(calibration, 0, { sd, shareInClass: 1, shareUp: 1, relativeStd: 0.5 })!.halfWidth;
  assert.ok(width(0.04) > 1.9 * width(0.02));
  assert.equal(width(0), width(1e-9));
  near(width(0), calibration.byHorizon[0]!.intervalQuantile * calibration.byHorizon[0]!.minSd);
});

test('few rows: one smoothed rate inside 0.1..0.9; no rows: even odds', () => {
  for (const n of [0, 1, 5, 29]) {
    const windows = honestWindows(n, 'few').map((window) => ({
      ...window,
      actual: Float64Array.of(0.02),
    }));
    const calibration = fitConfidence(windows, options);
    const says = calibrated(calibration, 0, {
      sd: 0.01,
      shareInClass: 1,
      shareUp: 1,
      relativeStd: 0.5,
    })!;
    near(says.confidence, Math.min(0.9, (n + 1) / (n + 2)));
    assert.ok(Number.isFinite(says.halfWidth) && says.halfWidth >= 0);
  }
});

test('labels that are not known are left out of a calibration', () => {
  const known = honestWindows(100, 'known');
  const unknown = known.map((window) => ({ ...window, actual: Float64Array.of(NaN) }));
  assert.deepEqual(fitConfidence([...known, ...unknown], options), fitConfidence(known, options));
});

test('confidence stays in 0.1..0.9 and probabilityUp in 0.01..0.99, whatever was fitted', () => {
  const sure = honestWindows(200, 'sure').map((window) => ({
    ...window,
    actual: Float64Array.of(0.02),
  }));
  const calibration = fitConfidence(sure, options);
  const says = calibrated(calibration, 0, {
    sd: 1,
    shareInClass: 1,
    shareUp: 1,
    relativeStd: 0.5,
  })!;
  assert.equal(says.confidence, 0.9);
  assert.equal(says.probabilityUp, 0.99);
});

test('the methods: relativeStd shows the formula as the confidence, none says nothing', () => {
  const summary = { sd: 0.01, shareInClass: 1, shareUp: 1, relativeStd: 0.33 };
  const calibration = fitConfidence(honestWindows(50, 'm'), { ...options, method: 'relativeStd' });
  assert.equal(calibrated(calibration, 0, summary)!.confidence, 0.33);
  assert.equal(calibrated(NO_CONFIDENCE, 0, summary), undefined);
});

test('evenly spaced rows keep the first and the last and never repeat', () => {
  const rows = Int32Array.from({ length: 1234 }, (_, i) => 100 + i);
  const some = evenlySpaced(rows, 500);
  assert.equal(some.length, 500);
  assert.deepEqual([some[0], some.at(-1)], [100, 1333]);
  assert.equal(new Set(some).size, 500);
  assert.equal(evenlySpaced(rows.subarray(0, 10), 500).length, 10);
});

test('direction: exactly half a per cent is neutral', () => {
  assert.deepEqual([0.0051, 0.005, 0, -0.005, -0.0051].map(directionOf), [
    'up',
    'neutral',
    'neutral',
    'neutral',
    'down',
  ]);
});

test('consistency: hand-worked values and edges', () => {
  // z equal for all horizons, all up: 0.5 + 0.5.
  const agree = [7, 14, 30].map((h) => 0.01 * Math.sqrt(h));
  near(consistencyScore(agree, [7, 14, 30], 0.01), 1);
  // z = 1, -1: SD_pop 1; classes up, down: share 1/2.
  near(consistencyScore([0.02, -0.02], [4, 4], 0.01), 0.25 + 0.5 * Math.exp(-1));
  assert.equal(consistencyScore([0.02], [7], undefined), 1);
  assert.equal(consistencyScore([0.02, NaN], [7, 14], 0.01), 0);
  assert.equal(consistencyScore([0.02, 0.01], [7, 14], 0), 0);
  assert.equal(consistencyScore([0.02, 0.01], [7, 14], undefined), 0);
  assert.equal(consistencyScore([NaN], [7], 0.01), 0);
});

test('volatility: SD (ddof 1) of the last 20 log returns', () => {
  const close = Float64Array.from({ length: 40 }, (_, i) => 100 * Math.exp(i % 2 ? 0.01 : 0));
  near(volatility20(close)!, Math.sqrt((20 * 0.01 ** 2) / 19));
  assert.equal(volatility20(close.subarray(0, 20)), undefined);
  assert.equal(volatility20(new Float64Array(30).fill(5)), 0);
});
