import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareLosses } from '../../../core/metrics/comparison.ts';
import { normals } from '../evaluation/planted.ts';

const ROWS = 720;
const HORIZON = 7;
const SERIES = 400;
/** SD of a forecast: 2 % of the label's variance. */
const FORECAST_SD = Math.sqrt(0.02);

/** Persistent forecast, AR(.95), unit variance times the SD above. */
function forecastOf(normal: () => number, n: number): Float64Array {
  const out = new Float64Array(n);
  let x = normal();
  for (let t = 0; t < n; t++) {
    x = 0.95 * x + Math.sqrt(1 - 0.95 ** 2) * normal();
    out[t] = FORECAST_SD * x;
  }
  return out;
}

/** Overlapping 7-bar sums of GARCH(1,1) returns (a = .08, b = .90), unit variance. */
function labelsOf(normal: () => number, n: number): Float64Array {
  const returns = new Float64Array(n + HORIZON + 200);
  let variance = 1;
  for (let t = 0; t < returns.length; t++) {
    returns[t] = Math.sqrt(variance) * normal();
    variance = 0.02 + 0.08 * returns[t]! ** 2 + 0.9 * variance;
  }
  return Float64Array.from({ length: n }, (_, t) => {
    let sum = 0;
    for (let i = 1; i <= HORIZON; i++) sum += returns[200 + t + i - 1]!;
    return sum / Math.sqrt(HORIZON);
  });
}

/** Share of equal pairs that the test at nominal 5 % calls different, and that a naive t-test does. */
function falsePositives(): { cosine: number; naive: number } {
  let cosine = 0;
  let naive = 0;
  for (let series = 0; series < SERIES; series++) {
    const normal = normals(10_000 + series);
    const labels = labelsOf(normal, ROWS);
    const [a, b] = [forecastOf(normal, ROWS), forecastOf(normal, ROWS)];
    const other = labels.map((y, t) => (y - a[t]!) ** 2);
    const challenger = labels.map((y, t) => (y - b[t]!) ** 2);
    const { test: found, meanDifference } = compareLosses({
      other,
      challenger: [challenger],
      horizon: HORIZON,
    });
    if (found!.p < 0.05) cosine++;
    const d = other.map((x, t) => x - challenger[t]!);
    const sd = Math.sqrt(d.reduce((s, x) => s + (x - meanDifference) ** 2, 0) / (ROWS - 1));
    if (meanDifference / (sd / Math.sqrt(ROWS)) > 1.645) naive++;
  }
  return { cosine, naive };
}

test('two equal forecasts are called different in about 5 % of series, no more', () => {
  const { cosine, naive } = falsePositives();
  // 20 expected of 400; 99.9 % of a binomial lies in 8..36.
  assert.ok(cosine >= 8 && cosine <= 36, `${cosine} of ${SERIES}`);
  // The simulation must be able to tell: a t-test that ignores the overlap fails by far.
  assert.ok(naive > 60, `${naive} of ${SERIES}`);
});
