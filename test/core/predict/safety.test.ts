import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Preprocessing } from '../../../core/packages/manifest.ts';
import type { VerifiedPackage } from '../../../core/packages/verify.ts';
import { verifyPackage } from '../../../core/packages/verify.ts';
import {
  forecastFrom,
  naiveForecast,
  plausibleRange,
  windowFromBars,
  type PredictionWindow,
  type Summaries,
} from '../../../core/predict/index.ts';
import { expectedOf, makePackage, testKeys } from '../../support/model-package.ts';
import { bars, code, now, openMade, releaseAll } from '../../support/opened-package.ts';

after(releaseAll);
const { verified } = await openMade();
const window = windowFromBars(verified, bars, { asOf: now });
const calm = Float64Array.of(0.001, 0.002, 0.003);

const withRules = (rules: Partial<Preprocessing>): VerifiedPackage => ({
  ...verified,
  preprocessing: { ...verified.preprocessing, ...rules },
});

/** The same window with one feature of its last row far outside. */
function unlike(): PredictionWindow {
  const values = window.values.slice();
  values[values.length - 1] = 1e6;
  return { ...window, values };
}

const sampled = (share: number) =>
  Array.from(calm, () => ({ sd: 0.01, shareInClass: share, shareUp: 0.5, relativeStd: 0.5 }));

test('an answer says how unlike the training rows its window is', () => {
  const near = forecastFrom(verified, window, calm);
  assert.ok(near.dissimilarity !== null && near.dissimilarity > 0 && near.dissimilarity < 2);
  const far = forecastFrom(verified, unlike(), calm);
  assert.ok(far.dissimilarity! > 1);
  assert.deepEqual([far.outlier, far.abstain, far.abstainReasons], [true, false, []]);
});

test('only the last row of the window counts', () => {
  const values = window.values.slice();
  values[0] = 1e6;
  const { dissimilarity } = forecastFrom(verified, { ...window, values }, calm);
  assert.equal(dissimilarity, forecastFrom(verified, window, calm).dissimilarity);
});

test('a package without training rows verifies, and cannot say', async () => {
  const old = await makePackage({ outliers: false });
  const pkg = verifyPackage(old.files, testKeys, expectedOf(old));
  assert.equal(pkg.outliers, undefined);
  const answer = forecastFrom(pkg, unlike(), calm);
  assert.deepEqual([answer.dissimilarity, answer.outlier, answer.abstain], [null, false, false]);
});

test('abstains by the rule of its spec, and shows the forecast all the same', () => {
  const rule = withRules({ abstain: { minConfidence: 0.5 } });
  const reasonsOf = (of: PredictionWindow, summaries: Summaries, pkg = rule) => {
    const answer = forecastFrom(pkg, of, calm, summaries);
    assert.equal(answer.horizons.length, 3);
    assert.equal(answer.abstain, answer.abstainReasons.length > 0);
    return answer.abstainReasons;
  };
  const near = { ...window, values: trainingLike() };
  assert.deepEqual(reasonsOf(near, sampled(1)), []);
  assert.deepEqual(reasonsOf(near, sampled(0.2)), ['low-confidence']);
  assert.deepEqual(reasonsOf(near, 'failed'), ['confidence-failed']);
  // `confidence: none`: sureness is not known, and not judged.
  assert.deepEqual(reasonsOf(near, undefined), []);
  assert.deepEqual(reasonsOf(unlike(), sampled(0.2)), ['outlier', 'low-confidence']);
  assert.deepEqual(reasonsOf(unlike(), 'failed', withRules({ abstain: {} })), ['outlier']);
});

/** A window whose last row is one of the points. */
function trainingLike(): Float64Array {
  const { offset, factor, points } = verified.outliers!;
  const values = window.values.slice();
  const from = values.length - offset.length;
  for (let c = 0; c < offset.length; c++) {
    values[from + c] = factor[c]! > 0 ? points[c]! / factor[c]! + offset[c]! : offset[c]!;
  }
  return values;
}

test('one sure horizon is enough not to abstain', () => {
  const rule = withRules({ abstain: { minConfidence: 0.5 } });
  const near = { ...window, values: trainingLike() };
  const mixed = [...sampled(0.2).slice(1), ...sampled(1).slice(2)];
  assert.deepEqual(forecastFrom(rule, near, calm, mixed).abstainReasons, []);
});

test('forecasts outside the learnt range, or at a price of 0, are refused by name', () => {
  const plausible = plausibleRange([0.001, 0.002, 0.004], [1e-4, 2e-4, 4e-4])!;
  assert.deepEqual(plausible.byHorizon[0], { low: 0.001 - 8 * 0.01, high: 0.001 + 8 * 0.01 });
  const pkg = withRules({ plausible });
  assert.ok(forecastFrom(pkg, window, calm));
  for (const values of [
    [0.082, 0, 0],
    [0, -0.2, 0],
    [0, 0, 0.17],
  ]) {
    const compute = () => forecastFrom(pkg, window, Float64Array.from(values));
    assert.throws(compute, code('predict.implausible', { model: 'index-gspc', version: 1 }));
  }
  const none = withRules({ label: { ...verified.preprocessing.label, kind: 'forwardReturn' } });
  assert.throws(
    () => forecastFrom(none, window, Float64Array.of(0, 0, -1)),
    code('predict.implausible'),
  );
  assert.throws(
    () => forecastFrom(pkg, window, Float64Array.of(0, NaN, 0)),
    code('predict.non-finite', { horizon: 14 }),
  );
});

test('the fallback answers whatever the range says, and is judged like any answer', () => {
  const byHorizon = [1, 2, 3].map(() => ({ low: 0.1, high: 0.2 }));
  const pkg = withRules({ plausible: { sds: 8, byHorizon }, abstain: {} });
  assert.throws(() => forecastFrom(pkg, window, calm), code('predict.implausible'));
  const answer = naiveForecast(pkg, unlike());
  assert.deepEqual(
    answer.horizons.map(({ change }) => change),
    [0, 0, 0],
  );
  assert.deepEqual(answer.abstainReasons, ['outlier']);
});

test('a label that never changes has no range', () => {
  assert.equal(plausibleRange([0, 0], [1, 0]), undefined);
});
