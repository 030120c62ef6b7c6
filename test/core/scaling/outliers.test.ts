import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  applyScaler,
  fitBounds,
  fitScaler,
  outlierRuleSchema,
  outlierWords,
  shareBeyond,
  withinBounds,
} from '../../../core/scaling/index.ts';
import { normalFrom, randomFor } from '../../../core/models/random.ts';

const normal = normalFrom(randomFor(3, 1));
const matrix = Float64Array.from({ length: 2000 }, (_, i) =>
  i % 2 === 0 ? normal() : 10 + 5 * normal(),
);
const train = Int32Array.from({ length: 800 }, (_, row) => row);
const rule = (value: unknown) => outlierRuleSchema.parse(value);

test('winsorize: bounds are quantiles of the training rows, by column', () => {
  // numpy.quantile([0, 1, ..., 9, 1000], [0.1, 0.9]) is [1, 9].
  const eleven = Float64Array.of(1000, ...Array.from({ length: 10 }, (_, k) => k));
  const rows = Int32Array.from(eleven.keys());
  const winsorize = rule({ kind: 'winsorize', lower: 0.1, upper: 0.9 });
  assert.deepEqual(fitBounds(winsorize, eleven, 1, rows), { low: [1], high: [9] });
  const { low, high } = fitBounds(rule({ kind: 'winsorize' }), matrix, 2, train)!;
  assert.ok(low[0]! < -2 && high[0]! > 2 && low[1]! < 0 && high[1]! > 20);
  const share = shareBeyond(matrix, train, { low, high });
  assert.ok(share > 0.008 && share <= 0.0105, `0.5 % at each end, found ${share}`);
});

test('clipSd: bounds are mean +- SDs of the training rows', () => {
  const four = Float64Array.of(1, 3, 5, 7);
  const bounds = fitBounds(rule({ kind: 'clipSd', sds: 2 }), four, 1, Int32Array.of(0, 1, 2, 3))!;
  assert.ok(Math.abs(bounds.low[0]! - (4 - 2 * Math.sqrt(5))) < 1e-12);
  assert.ok(Math.abs(bounds.high[0]! - (4 + 2 * Math.sqrt(5))) < 1e-12);
});

test('rows outside of the training rows move no bound', () => {
  const other = Float64Array.from(matrix);
  other.fill(1e9, 1600);
  for (const of of [{ kind: 'winsorize' }, { kind: 'clipSd' }].map(rule)) {
    assert.deepEqual(fitBounds(of, other, 2, train), fitBounds(of, matrix, 2, train));
  }
});

test('a scaler with bounds is fitted on what lies within, and brings values within first', () => {
  const wild = Float64Array.from(matrix);
  wild[20] = 1e12;
  const bounds = fitBounds(rule({ kind: 'winsorize' }), wild, 2, train)!;
  const state = fitScaler('standard', wild, 2, train, { bounds });
  assert.ok(state.factor[0]! > 0.9, 'one wild value did not stretch it');
  assert.ok(fitScaler('standard', wild, 2, train).factor[0]! < 1e-9, 'as it does without');
  assert.deepEqual(state.bounds, bounds);
  const far = Float64Array.of(1e12, 10, -5e5, 10);
  const { values, clipped } = applyScaler(state, far);
  assert.equal(clipped, 2);
  assert.deepEqual(values, applyScaler(state, withinBounds(far, bounds)).values);
});

test('what cannot be is refused, NaN in a training row too', () => {
  for (const wrong of [
    { kind: 'winsorize', lower: 0.9, upper: 0.1 },
    { kind: 'clipSd', sds: 0 },
    { kind: 'winsorise' },
    'all',
  ]) {
    assert.equal(outlierRuleSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
  const broken = Float64Array.from(matrix);
  broken[4] = NaN;
  for (const of of [{ kind: 'winsorize' }, { kind: 'clipSd' }].map(rule)) {
    assert.throws(() => fitBounds(of, broken, 2, train), { code: 'scaling.notFinite' });
  }
  assert.throws(() => fitBounds(rule({ kind: 'clipSd' }), matrix, 2, new Int32Array()), {
    code: 'scaling.noRows',
  });
  assert.equal(fitBounds('none', matrix, 2, train), undefined);
});

test('the record in words', () => {
  assert.equal(
    outlierWords({
      features: { rule: { kind: 'winsorize', lower: 0.01, upper: 0.99 }, share: 0.0199 },
      labels: { rule: { kind: 'clipSd', sds: 4 }, share: 0.001 },
    }),
    'Training features winsorized at the quantiles 0.01 and 0.99 (1.99 % of them), labels clipped at 4 SD ' +
      '(0.10 % of them); evaluated on all labels as they came',
  );
});
