import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  allocationOrThrow,
  allocations,
  allocationSchema,
} from '../../../../core/strategies/portfolio/allocation.ts';
import { solveBoxProgram } from '../../../../core/strategies/portfolio/box-program.ts';
import { meanOf, shrunkCovariance } from '../../../../core/strategies/portfolio/covariance.ts';
import { seededUniform } from '../../../support/seeded-uniform.ts';

interface Case {
  readonly columns: readonly (readonly number[])[];
  readonly maxWeight: number;
  readonly maxTotal: number;
  readonly shrinkage: number;
  readonly covariance: readonly number[];
  readonly minimumVariance: readonly number[];
  readonly halfKelly: readonly number[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../../golden/portfolio.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly Case[] };

const columnsOf = (x: readonly (readonly number[])[]) => x.map((c) => Float64Array.from(c));
const weighing = (
  spec: { kind: string; [param: string]: unknown },
  x: readonly (readonly number[])[],
  maxWeight = 1,
  maxTotal = 1,
): number[] => {
  const parsed = allocationSchema.parse(spec);
  const rule = allocationOrThrow(parsed.kind);
  return Array.from(rule.weigh(columnsOf(x), { maxWeight, maxTotal }, parsed));
};
const near = (a: ArrayLike<number>, b: readonly number[], tolerance: number, what = '') => {
  assert.equal(a.length, b.length);
  b.forEach((value, i) => {
    const off = Math.abs(a[i]! - value);
    assert.ok(off <= tolerance, `${what}[${i}] ${a[i]} is not ${value}`);
  });
};
const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
/** w'Qw / 2 - c'w. */
const value = (q: ArrayLike<number>, c: ArrayLike<number>, w: ArrayLike<number>): number => {
  const n = w.length;
  let out = 0;
  for (let i = 0; i < n; i++) {
    out -= c[i]! * w[i]!;
    for (let j = 0; j < n; j++) out += (w[i]! * q[i * n + j]! * w[j]!) / 2;
  }
  return out;
};

for (const [k, of] of golden.cases.entries()) {
  const n = of.columns.length;
  test(`golden ${k}, ${n} columns: covariance of scikit-learn, weights no worse than SLSQP's`, () => {
    const { matrix, shrinkage } = shrunkCovariance(columnsOf(of.columns));
    near([shrinkage], [of.shrinkage], 1e-10);
    const scale = Math.max(...of.covariance);
    near(matrix, of.covariance, 1e-9 * scale, 'covariance');
    const { maxWeight, maxTotal } = of;
    const least = weighing({ kind: 'minimum-variance' }, of.columns, maxWeight, maxTotal);
    near(least, of.minimumVariance, 2e-4, 'minimum variance');
    const zero = new Float64Array(n);
    assert.ok(
      value(matrix, zero, least) <= value(matrix, zero, of.minimumVariance) * (1 + 1e-9),
      'less variance than SLSQP finds',
    );
    const fastest = weighing({ kind: 'kelly' }, of.columns, maxWeight, maxTotal);
    near(fastest, of.halfKelly, 2e-4, 'kelly');
    for (const weights of [least, fastest]) {
      assert.ok(Math.min(...weights) >= 0 && Math.max(...weights) <= maxWeight);
      assert.ok(sum(weights) <= maxTotal + 1e-12);
    }
  });
}

/** +-a in turn and +-b in pairs: means 0, no correlation, variances a^2 and b^2. */
const apart = (a: number, b: number, rows = 40) => [
  Array.from({ length: rows }, (_, t) => (t % 2 === 0 ? a : -a)),
  Array.from({ length: rows }, (_, t) => (t % 4 < 2 ? b : -b)),
];

test('two assets in closed form: minimum variance w1 = (s22 - s12) / (s11 + s22 - 2 s12)', () => {
  const uniform = seededUniform(1);
  for (let k = 0; k < 200; k++) {
    const [a, b] = [0.5 + uniform(), 0.5 + uniform()];
    const rho = 1.9 * uniform() - 0.95;
    const quadratic = Float64Array.of(a * a, rho * a * b, rho * a * b, b * b);
    const linear = new Float64Array(2);
    const w = solveBoxProgram({ quadratic, linear, upper: 1, total: 1 });
    const free = (b * b - rho * a * b) / (a * a + b * b - 2 * rho * a * b);
    const first = Math.min(1, Math.max(0, free));
    near(w, [first, 1 - first], 1e-9);
  }
});

test('two assets from returns: the covariance is shrunk, inverse volatility is not', () => {
  const x = apart(0.01, 0.02);
  near(weighing({ kind: 'inverse-volatility' }, x), [2 / 3, 1 / 3], 1e-12);
  // Squares do not vary, so sum (x_t x_t' - S)^2 = T 2 (1e-4 x 4e-4); by T^2 against |S - m I|^2 = 2 (1.5e-4)^2.
  const b2 = (2 * 1e-4 * 4e-4) / 40;
  const { shrinkage } = shrunkCovariance(columnsOf(x));
  near([shrinkage], [b2 / (2 * 1.5e-4 ** 2)], 1e-12);
  const [v1, v2] = [1e-4, 4e-4].map((v) => (1 - shrinkage) * v + shrinkage * 2.5e-4);
  near(weighing({ kind: 'minimum-variance' }, x), [v2! / (v1! + v2!), v1! / (v1! + v2!)], 1e-9);
  near(weighing({ kind: 'equal' }, x), [0.5, 0.5], 0);
});

test('caps: what a capped column cannot take the others get; what none can take stays cash', () => {
  const x = [...apart(0.01, 0.04), ...apart(0.02, 0.02)];
  const inverse = (maxWeight: number, maxTotal = 1) =>
    weighing({ kind: 'inverse-volatility' }, x, maxWeight, maxTotal);
  // 4 : 1 : 2 : 2
  near(inverse(1), [4 / 9, 1 / 9, 2 / 9, 2 / 9], 1e-12);
  near(inverse(0.3), [0.3, 0.14, 0.28, 0.28], 1e-12);
  near(inverse(0.2), [0.2, 0.2, 0.2, 0.2], 1e-12);
  near(inverse(1, 0.45), [0.2, 0.05, 0.1, 0.1], 1e-12);
  near(weighing({ kind: 'equal' }, x, 0.1), [0.1, 0.1, 0.1, 0.1], 1e-15);
  near(weighing({ kind: 'minimum-variance' }, x, 0.25), [0.25, 0.25, 0.25, 0.25], 1e-12);
  near(weighing({ kind: 'minimum-variance' }, x, 0.2), [0.2, 0.2, 0.2, 0.2], 1e-12);
});

test('kelly: one asset has fraction x mean / variance, capped; what loses gets nothing', () => {
  // Mean .001, SD .05 (ddof 0): full Kelly .4.
  const paying = apart(0.05, 1)[0]!.map((r) => r + 0.001);
  near(weighing({ kind: 'kelly', fraction: 1 }, [paying]), [0.4], 1e-8);
  near(weighing({ kind: 'kelly' }, [paying]), [0.2], 1e-8);
  near(weighing({ kind: 'kelly', fraction: 1 }, [paying], 0.3), [0.3], 1e-12);
  const losing = paying.map((r) => r - 0.002);
  near(weighing({ kind: 'kelly', fraction: 1 }, [losing]), [0], 0);
  // Means .004 and -.001 without correlation.
  const both = apart(0.05, 0.05).map((x, i) => x.map((r) => r + (i === 0 ? 0.004 : -0.001)));
  const [first, second] = weighing({ kind: 'kelly' }, both);
  assert.equal(second, 0);
  near([first!], [0.5 * (0.004 / 0.0025)], 1e-6);
  assert.equal(sum(weighing({ kind: 'kelly', fraction: 1 }, both, 1, 0.6)), 0.6);
});

test('minimum variance and kelly against brute force: no point of a fine grid is better', () => {
  const uniform = seededUniform(8);
  const GRID = 50;
  for (let k = 0; k < 40; k++) {
    const factor = Array.from({ length: 9 }, () => uniform() - 0.4);
    const quadratic = new Float64Array(9);
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        for (let m = 0; m < 3; m++)
          quadratic[3 * i + j]! += factor[3 * i + m]! * factor[3 * j + m]!;
      }
      quadratic[4 * i]! += 0.01;
    }
    const linear = Float64Array.from({ length: 3 }, () =>
      k % 2 === 0 ? 0 : 0.3 * (uniform() - 0.4),
    );
    const upper = [1, 0.5, 0.4][k % 3]!;
    for (const total of [1, undefined]) {
      const w = solveBoxProgram({ quadratic, linear, upper, total });
      const best = value(quadratic, linear, w);
      assert.ok(w.every((x) => x >= 0 && x <= upper));
      if (total !== undefined) assert.ok(Math.abs(sum(Array.from(w)) - 1) < 1e-12);
      for (let i = 0; i <= GRID; i++) {
        for (let j = 0; j <= GRID; j++) {
          const [a, b] = [(i * upper) / GRID, (j * upper) / GRID];
          const last = total === undefined ? [0, upper / 2, upper] : [1 - a - b];
          for (const c of last) {
            if (c < 0 || c > upper) continue;
            assert.ok(value(quadratic, linear, [a, b, c]) >= best - 1e-12, `${k}: ${a} ${b} ${c}`);
          }
        }
      }
    }
  }
});

test('optimality (Karush-Kuhn-Tucker) with 50 variables, degenerate ones among them', () => {
  const uniform = seededUniform(9);
  for (let k = 0; k < 12; k++) {
    const n = 50;
    const columns = Array.from({ length: n }, () =>
      Float64Array.from({ length: 30 }, () => uniform() - 0.5),
    );
    // Equal columns, and columns of one factor: many weights are equally good, or just at their bound.
    if (k % 3 === 1) for (let i = 1; i < n; i += 2) columns[i] = columns[i - 1]!.slice();
    if (k % 3 === 2) columns.forEach((x, i) => x.set(columns[0]!.map((r) => r * (1 + i / n))));
    const quadratic = shrunkCovariance(columns).matrix;
    const linear = Float64Array.from(columns, (x) => (k % 2 === 0 ? 0 : 0.5 * meanOf(x)));
    const upper = 0.05;
    const w = solveBoxProgram({ quadratic, linear, upper, total: 1 });
    const slopes = Array.from(w, (_, i) =>
      w.reduce((s, x, j) => s + quadratic[i * n + j]! * x, -linear[i]!),
    );
    // One level of slopes parts what is at 0 (above it) from what is at the cap (below it).
    const grow = Math.min(...slopes.filter((_, i) => w[i]! < upper));
    const shrink = Math.max(...slopes.filter((_, i) => w[i]! > 0));
    const scale = Math.max(...slopes.map(Math.abs));
    assert.ok(shrink - grow <= 1e-9 * scale, `${k}: ${shrink} above ${grow}`);
  }
});

test('equal columns share their weight; a matrix that is not positive definite is refused', () => {
  const x = apart(0.01, 0.02);
  const [a, b, c] = weighing({ kind: 'minimum-variance' }, [x[0]!, x[0]!, x[1]!]);
  near([a!], [b!], 1e-6);
  assert.ok(c! > 0);
  const quadratic = Float64Array.of(1, 2, 2, 1);
  assert.throws(
    () => solveBoxProgram({ quadratic, linear: new Float64Array(2), upper: 1, total: 1 }),
    { code: 'portfolio.not-solved' },
  );
});

test('every allocation keeps its limits on any returns, and shifts no column by another order', () => {
  const uniform = seededUniform(10);
  for (const { name } of allocations) {
    for (let k = 0; k < 30; k++) {
      const n = 1 + Math.floor(uniform() * 8);
      const x = Array.from({ length: n }, () =>
        Array.from({ length: 25 }, () => 0.02 * (uniform() - 0.48)),
      );
      const [maxWeight, maxTotal] = [0.1 + 0.9 * uniform(), 0.2 + 0.8 * uniform()];
      const weights = weighing({ kind: name }, x, maxWeight, maxTotal);
      assert.ok(Math.min(...weights) >= 0 && Math.max(...weights) <= maxWeight, name);
      assert.ok(sum(weights) <= maxTotal + 1e-12, name);
      const turned = weighing({ kind: name }, x.toReversed(), maxWeight, maxTotal);
      near(turned.toReversed(), weights, 1e-9, name);
    }
  }
  assert.throws(() => allocationOrThrow('equall'), { code: 'portfolio.unknown-allocation' });
});
