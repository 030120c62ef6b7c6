/** Drift tests against scipy and scikit-learn (test/golden/drift.py), and what must hold for any values. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { areaUnderCurve, domainClassifierAuc } from '../../../core/drift/domain-classifier.ts';
import type { DriftTest } from '../../../core/drift/drift-test.ts';
import { driftTests } from '../../../core/drift/index.ts';
import { fitLogisticRidge } from '../../../core/drift/logistic-ridge.ts';
import { benjaminiHochberg, rankOfLast, rankSums } from '../../../core/drift/ranks.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { normals } from '../evaluation/planted.ts';

type Pair = { reference: number[]; window: number[] } & Record<string, number | number[]>;

const golden = JSON.parse(
  readFileSync(new URL('../../golden/drift.json', import.meta.url), 'utf8'),
) as {
  numeric: Pair[];
  categorical: Pair[];
  logistic: {
    columns: number;
    x: number[];
    y: number[];
    penalty: number;
    coefficients: number[];
    intercept: number;
    scores: number[];
    auc: number;
  }[];
  benjaminiHochberg: { p: number[]; q: number; rejected: boolean[] }[];
};

const close = (actual: number, expected: number, tolerance = 1e-9): void =>
  assert.ok(
    Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected)),
    `${actual} is not ${expected}`,
  );
const sorted = (values: Iterable<number>): Float64Array => Float64Array.from(values).sort();
const draw = (seed: number, n: number): Float64Array =>
  Float64Array.from({ length: n }, normals(seed));
const distance = (drift: DriftTest, reference: Float64Array, window: Float64Array): number =>
  drift.distance(reference.toSorted(), window.toSorted());
const ofName = (name: string): DriftTest => driftTests.find((drift) => drift.name === name)!;

describe('golden values', () => {
  for (const drift of driftTests) {
    test(drift.name, () => {
      const cases = golden[drift.kind];
      assert.ok(cases.length >= 3);
      for (const { reference, window, [drift.name]: expected } of cases) {
        close(drift.distance(sorted(reference), sorted(window)), expected as number);
      }
    });
  }

  test('logistic regression with a ridge penalty, and the area under the curve', () => {
    for (const { columns, x, y, penalty, ...expected } of golden.logistic) {
      const rows = { columns, x: Float64Array.from(x), y: Uint8Array.from(y) };
      const model = fitLogisticRidge(rows, penalty);
      close(model.intercept, expected.intercept, 1e-5);
      expected.coefficients.forEach((b, i) => close(model.coefficients[i]!, b, 1e-5));
      close(areaUnderCurve(Float64Array.from(expected.scores), rows.y), expected.auc);
    }
  });

  test('Benjamini-Hochberg', () => {
    for (const { p, q, rejected } of golden.benjaminiHochberg) {
      assert.deepEqual(benjaminiHochberg(p, q), rejected, p.join());
    }
  });
});

test('by hand', () => {
  const [reference, window] = [Float64Array.of(1, 2, 3, 4), Float64Array.of(3, 4, 5, 6)];
  close(ofName('ks').distance(reference, window), 0.5);
  // Each value moved by 2; the quartiles are 1.75 and 3.25.
  close(ofName('wasserstein').distance(reference, window), 2 / 1.5);
  // Table 3 1 / 1 3: each cell is 1 from its expectation of 2, four times 1/2 over 8 rows.
  const categories = ofName('chi-square');
  close(categories.distance(Float64Array.of(0, 0, 0, 1), Float64Array.of(0, 1, 1, 1)), 0.25);
});

describe('what must hold for any values', () => {
  for (const drift of driftTests) {
    const category = (values: Float64Array): Float64Array =>
      drift.kind === 'numeric' ? values : values.map((value) => Math.round(2 * value));
    const [a, b] = [category(draw(1, 400)), category(draw(2, 130))];

    test(`${drift.name}: a copy has no distance, another sample little, and no values give NaN`, () => {
      close(distance(drift, a, a), 0);
      assert.ok(distance(drift, a, b) >= 0);
      assert.ok(distance(drift, a, b) < 0.2);
      assert.ok(Number.isNaN(drift.distance(a.toSorted(), new Float64Array())));
      assert.ok(Number.isNaN(drift.distance(new Float64Array(), b.toSorted())));
    });

    test(`${drift.name}: the order of rows and the units do not matter`, () => {
      const turned = drift.kind === 'numeric' ? 1 : -1;
      const scaled = (values: Float64Array): Float64Array => values.map((x) => 64 * x * turned - 8);
      close(distance(drift, scaled(a), scaled(b)), distance(drift, a, b));
      close(distance(drift, a.toReversed(), b.toReversed()), distance(drift, a, b));
    });

    test(`${drift.name}: the inputs are left as they are`, () => {
      const [reference, window] = [a.toSorted(), b.toSorted()];
      const before = [reference.slice(), window.slice()];
      drift.distance(reference, window);
      assert.deepEqual([reference, window], before);
    });

    if (drift.kind === 'categorical') continue;
    test(`${drift.name}: a larger shift is a larger distance`, () => {
      const moved = [0, 0.25, 0.5, 1, 2].map((by) =>
        distance(
          drift,
          a,
          b.map((x) => x + by),
        ),
      );
      for (const [i, value] of moved.entries()) {
        assert.ok(i === 0 || value > moved[i - 1]!, moved.join(' '));
      }
    });
  }
});

describe('the domain classifier', () => {
  const rowsOf = (seed: number, rows: number, columns: number, shift = 0) => {
    const values = draw(seed, rows * columns).map((x, i) => (i % columns === 1 ? x + shift : x));
    return { rows, values };
  };

  test('cannot tell equal rows, tells shifted ones, and the more the further', () => {
    const old = rowsOf(3, 600, 8);
    const auc = [0, 0.5, 1, 2].map((shift) =>
      domainClassifierAuc(old, rowsOf(4, 150, 8, shift), 8),
    );
    assert.ok(Math.abs(auc[0]! - 0.5) < 0.1, String(auc[0]));
    assert.ok(auc[1]! < auc[2]! && auc[2]! < auc[3]!, auc.join(' '));
    // Two normals two SDs apart: the best possible AUC is Phi(sqrt 2) = .921.
    assert.ok(auc[3]! > 0.85 && auc[3]! < 0.96, String(auc[3]));
  });

  test('is blocked by time: a slow wave is not taken for a change', () => {
    // Random folds would know each row by its neighbours (AUC near 1); blocks of time leave it unknown.
    const wave = (from: number, rows: number) => ({
      rows,
      values: Float64Array.from({ length: rows }, (_, i) => Math.sin((from + i) / 9.55)),
    });
    const auc = domainClassifierAuc(wave(0, 480), wave(480, 120), 1);
    assert.ok(auc < 0.65, String(auc));
  });

  test('gives the same bits again, whatever is missing or constant', () => {
    const [old, fresh] = [rowsOf(5, 90, 4), rowsOf(6, 40, 4)];
    old.values[7] = NaN;
    for (let i = 0; i < old.values.length; i += 4) old.values[i] = 3;
    for (let i = 0; i < fresh.values.length; i += 4) fresh.values[i] = 3;
    const auc = domainClassifierAuc(old, fresh, 4);
    assert.ok(auc > 0 && auc < 1);
    assert.equal(domainClassifierAuc(old, fresh, 4), auc);
    assert.ok(Number.isNaN(domainClassifierAuc(old, { rows: 4, values: fresh.values }, 4)));
  });
});

describe('ranks', () => {
  test('rank of the last: ties count against drift', () => {
    assert.equal(rankOfLast(Float64Array.of(1, 2, 3, 4)), 0.25);
    assert.equal(rankOfLast(Float64Array.of(1, 4, 3, 4)), 0.5);
    assert.equal(rankOfLast(Float64Array.of(5, 5, 5, 5)), 1);
  });

  test('sums of ranks, equal values sharing theirs', () => {
    const sums = rankSums([Float64Array.of(1, 9, 5, 5), Float64Array.of(0.1, 0.2, 0.3, 0.4)]);
    assert.deepEqual([...sums], [1 + 1, 4 + 2, 2.5 + 3, 2.5 + 4]);
  });

  test('of exchangeable windows the newest is in the top 5 % as often as it should', () => {
    const uniform = seededUniform(3);
    const trials = 4000;
    let top = 0;
    for (let i = 0; i < trials; i++) {
      const common = Float64Array.from({ length: 40 }, uniform);
      // Three views of the same window, as psi, ks and wasserstein are.
      const views = [0, 1, 2].map(() => common.map((x) => x + 0.3 * uniform()));
      if (rankOfLast(rankSums(views)) <= 0.05) top++;
    }
    // Two of forty ranks are at most .05; SE .0034.
    assert.ok(Math.abs(top / trials - 0.05) < 0.012, String(top / trials));
  });
});
