import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { leastSquares } from '../../../core/models/least-squares.ts';
import { centredGram, fitSoftmaxRegression } from '../../../core/models/softmax-regression.ts';

interface Golden {
  leastSquares: { x: number[][]; y: number[][]; coefficients: number[][]; rank: number }[];
  logistic: {
    x: number[][];
    y: number[];
    fits: { penalty: number; coefficients: number[][]; intercepts: number[] }[];
  }[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/linear_models.json', import.meta.url), 'utf8'),
) as Golden;

const flat = (matrix: readonly (readonly number[])[]): Float64Array =>
  Float64Array.from(matrix.flat());

function assertNear(got: Float64Array, want: Float64Array, tolerance: number): void {
  assert.equal(got.length, want.length);
  const scale = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  got.forEach((value, at) => {
    const difference = Math.abs(value - want[at]!);
    assert.ok(difference <= tolerance * scale, `${at}: ${value} is not ${want[at]}`);
  });
}

describe('least squares', () => {
  golden.leastSquares.forEach(({ x, y, coefficients, rank }, k) => {
    const [f, h] = [x[0]!.length, y[0]!.length];
    it(`gives numpy's solution of least norm: ${x.length} x ${f} of rank ${rank} (${k})`, () => {
      const got = leastSquares(flat(x), flat(y), f, h);
      assert.equal(got.rank, rank);
      assertNear(got.coefficients, flat(coefficients), 1e-11);
    });
  });

  it('gives 0 to columns of nothing, also when there is nothing else', () => {
    const got = leastSquares(new Float64Array(6), Float64Array.of(1, 2, 3), 2, 1);
    assert.deepEqual(got, { coefficients: new Float64Array(2), rank: 0 });
  });

  it('shares the coefficient between equal columns', () => {
    const x = Float64Array.of(1, 1, 2, 2, 3, 3);
    const { coefficients } = leastSquares(x, Float64Array.of(2, 4, 6), 2, 1);
    assertNear(coefficients, Float64Array.of(1, 1), 1e-14);
  });
});

describe('softmax regression', () => {
  golden.logistic.forEach(({ x, y, fits }, k) => {
    const columns = x[0]!.length;
    const classes = Math.max(...y) + 1;
    for (const { penalty, coefficients, intercepts } of fits) {
      it(`gives scikit-learn's minimum: ${classes} classes, penalty ${penalty} (${k})`, () => {
        const rows = flat(x);
        const got = fitSoftmaxRegression(
          { x: rows, columns, y: Uint8Array.from(y), classes, gram: centredGram(rows, columns) },
          penalty,
        );
        const want = coefficients.flatMap((row, c) => [...row, intercepts[c]!]);
        assertNear(got, Float64Array.from(want), 1e-6);
      });
    }
  });

  it('ends at the shares of the classes where nothing else is to be learnt', () => {
    const x = Float64Array.of(0, 0, 0, 0);
    const gram = centredGram(x, 1);
    const b = fitSoftmaxRegression(
      { x, columns: 1, y: Uint8Array.of(0, 1, 1, 1), classes: 2, gram },
      1,
    );
    assert.ok(Math.abs(b[3]! - b[1]! - Math.log(3)) < 1e-6);
    assert.deepEqual([b[0], b[2]], [0, 0]);
  });
});
