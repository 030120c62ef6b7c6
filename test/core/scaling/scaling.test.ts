import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  applyScaler,
  fitScaler,
  invertScaler,
  SCALER_KINDS,
  sortedQuantile,
} from '../../../core/scaling/index.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const uniform = seededUniform(4);
const matrix = Float64Array.from({ length: 300 }, (_, i) => (i % 3) * 100 + uniform() * 10);
const train = Int32Array.from({ length: 60 }, (_, i) => i);

test('minmax brings training rows to 0..1, both ends reached', () => {
  const state = fitScaler('minmax', matrix, 3, train);
  const { values, clipped } = applyScaler(state, matrix.subarray(0, 180));
  for (let column = 0; column < 3; column++) {
    const scaled = values.filter((_, i) => i % 3 === column);
    assert.equal(Math.min(...scaled), 0);
    assert.ok(Math.abs(Math.max(...scaled) - 1) < 1e-12);
  }
  assert.equal(clipped, 0);
});

test('standard gives mean 0 and population SD 1', () => {
  const state = fitScaler('standard', matrix, 3, train);
  const { values } = applyScaler(state, matrix.subarray(0, 180));
  const scaled = values.filter((_, i) => i % 3 === 1);
  const mean = scaled.reduce((a, b) => a + b, 0) / 60;
  const variance = scaled.reduce((a, b) => a + (b - mean) ** 2, 0) / 60;
  assert.ok(Math.abs(mean) < 1e-12 && Math.abs(variance - 1) < 1e-12);
});

test('robust gives median 0 and interquartile range 1, whatever a few wild rows say', () => {
  const wild = Float64Array.from(matrix);
  for (const row of [3, 17, 40]) wild[row * 3 + 1] = 1e12;
  const state = fitScaler('robust', wild, 3, train);
  const scaled = applyScaler({ ...state, clip: [-1e15, 1e15] }, wild.subarray(0, 180)).values;
  const column = scaled.filter((_, i) => i % 3 === 1).sort();
  assert.ok(Math.abs(sortedQuantile(column, 0.5)) < 1e-12);
  const spread = sortedQuantile(column, 0.75) - sortedQuantile(column, 0.25);
  assert.ok(Math.abs(spread - 1) < 1e-12);
  assert.ok(state.factor[1]! > 0.05, 'the wild rows did not stretch it');
});

test('quantiles interpolate between order statistics; equal quartiles fall back to the SD', () => {
  // numpy.quantile([1, 2, 4, 8, 16, 32], [0.25, 0.5, 0.75]) is [2.5, 6, 14].
  const six = Float64Array.of(32, 1, 8, 2, 16, 4);
  const rows = Int32Array.from(six.keys());
  const { offset, factor } = fitScaler('robust', six, 1, rows);
  assert.deepEqual([offset[0], 1 / factor[0]!], [6, 11.5]);
  const rare = Float64Array.from({ length: 100 }, (_, i) => (i === 50 ? 10 : 0));
  const state = fitScaler('robust', rare, 1, Int32Array.from(rare.keys()));
  assert.equal(state.offset[0], 0);
  assert.ok(Math.abs(1 / state.factor[0]! - Math.sqrt(0.99)) < 1e-12);
});

test('rows outside of the training rows do not move the scaler', () => {
  const other = Float64Array.from(matrix);
  other.fill(1e9, 180);
  for (const kind of SCALER_KINDS) {
    assert.deepEqual(fitScaler(kind, other, 3, train), fitScaler(kind, matrix, 3, train));
  }
});

test('served values are clipped to the range of their kind and counted', () => {
  const one = Float64Array.of(0, 1);
  const rows = Int32Array.of(0, 1);
  const far = Float64Array.of(-9, -0.5, 0.25, 1.5, 1.6);
  const minmax = applyScaler(fitScaler('minmax', one, 1, rows), far);
  assert.deepEqual([...minmax.values], [-0.5, -0.5, 0.25, 1.5, 1.5]);
  assert.equal(minmax.clipped, 2);
  const standard = applyScaler(fitScaler('standard', one, 1, rows), Float64Array.of(99, -99, 0.5));
  assert.deepEqual([...standard.values], [5, -5, 0]);
  assert.equal(standard.clipped, 2);
  assert.equal(applyScaler(fitScaler('none', one, 1, rows), far).clipped, 0);
  assert.equal(fitScaler('minmax', one, 1, rows, { clip: false }).clip, undefined);
});

test('inverting gives the values back', () => {
  for (const kind of SCALER_KINDS) {
    const state = fitScaler(kind, matrix, 3, train, { clip: false });
    const back = invertScaler(state, applyScaler(state, matrix).values);
    back.forEach((value, i) => assert.ok(Math.abs(value - matrix[i]!) < 1e-9));
  }
});

test('a constant column becomes 0, not NaN', () => {
  const constant = new Float64Array(60).fill(0.1);
  for (const kind of ['minmax', 'standard', 'robust'] as const) {
    const state = fitScaler(kind, constant, 1, train);
    assert.equal(state.factor[0], 1);
    assert.ok(applyScaler(state, constant).values.every((v) => Math.abs(v) < 1e-15));
  }
});

test('no rows, NaN in the training rows and wrong shapes are refused', () => {
  const broken = Float64Array.from(matrix);
  broken[4] = NaN;
  assert.throws(() => fitScaler('minmax', broken, 3, train), { code: 'scaling.notFinite' });
  assert.throws(() => fitScaler('minmax', matrix, 3, new Int32Array()), { code: 'scaling.noRows' });
  const state = fitScaler('minmax', matrix, 3, train);
  assert.throws(() => applyScaler(state, new Float64Array(4)), { code: 'scaling.shape' });
});
