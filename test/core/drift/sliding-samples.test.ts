/** Windows and references out of a column that is sorted once, against sorting each of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { driftTestsOf } from '../../../core/drift/catalogue.ts';
import { pooledOf } from '../../../core/drift/pooled.ts';
import { SlidingSamples } from '../../../core/drift/sliding-samples.ts';
import { layoutOf, REFERENCE_WINDOWS } from '../../../core/drift/windows.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { normals } from '../evaluation/planted.ts';

const WINDOW = 23;
const BLOCKS = 31;

/** Several columns, one after the other through the same memory. */
const columns = (): Readonly<Record<string, () => number>> => {
  const normal = normals(3);
  const uniform = seededUniform(4);
  return {
    spread: normal,
    ties: () => Math.round(2 * normal()),
    zeros: () => [0, -0, 1][Math.floor(3 * uniform())]!,
    gaps: () => (uniform() < 0.3 ? NaN : normal()),
    infinite: () => (uniform() < 0.1 ? Infinity : Math.round(3 * normal())),
    near: () => 1e6 + 1e-8 * normal(),
    none: () => NaN,
  };
};

describe('sliding samples', () => {
  const layout = layoutOf(WINDOW * BLOCKS, WINDOW);
  const sliding = new SlidingSamples(layout);
  for (const [kind, value] of Object.entries(columns())) {
    test(`${kind}: the values of each window and its reference, and the distances of both, bit for bit`, () => {
      const rows = Float64Array.from({ length: WINDOW * BLOCKS }, value);
      const sorted = (from: number, to: number): Float64Array =>
        rows
          .slice(from * WINDOW, to * WINDOW)
          .filter(Number.isFinite)
          .sort();
      const newest = sorted(BLOCKS - 1, BLOCKS);
      assert.equal(sliding.take(rows), newest.length);
      for (let w = 0; w < layout.windows; w++) {
        const at = w + REFERENCE_WINDOWS;
        const [reference, window] = [sorted(w, at), sorted(at, at + 1)];
        const given = sliding.of(w);
        // 0 and -0 stand in any order.
        const plain = (values: Float64Array): Float64Array => values.map((x) => x + 0);
        assert.deepEqual(plain(given.reference), plain(reference));
        assert.deepEqual(plain(given.window), plain(window));
        assert.deepEqual(plain(given.pooled.values), plain(pooledOf(reference, window).values));
        for (const drift of driftTestsOf('numeric')) {
          assert.equal(
            drift.distance(given.reference, given.window, given.pooled),
            drift.distance(reference, window),
            drift.name,
          );
        }
      }
    });
  }
});

test('KS and Wasserstein are those of the distribution functions, counted value by value', () => {
  const normal = normals(8);
  const [reference, window] = [90, 40].map((length) =>
    Float64Array.from({ length }, () => Math.round(4 * normal()) / 4).sort(),
  ) as [Float64Array, Float64Array];
  const values = [...new Set([...reference, ...window])].sort((a, b) => a - b);
  const share = (of: Float64Array, x: number): number =>
    of.filter((y) => y <= x).length / of.length;
  let largest = 0;
  let area = 0;
  values.forEach((x, i) => {
    const apart = Math.abs(share(reference, x) - share(window, x));
    largest = Math.max(largest, apart);
    area += i + 1 < values.length ? apart * (values[i + 1]! - x) : 0;
  });
  const [lower, upper] = [0.25, 0.75].map((q) => {
    const at = q * (reference.length - 1);
    const [low, high] = [reference[Math.floor(at)]!, reference[Math.ceil(at)]!];
    return low + (at % 1) * (high - low);
  }) as [number, number];
  const of = (name: string): number =>
    driftTestsOf('numeric')
      .find((drift) => drift.name === name)!
      .distance(reference, window);
  assert.equal(of('ks'), largest);
  assert.ok(Math.abs(of('wasserstein') - area / (upper - lower)) < 1e-12);
});
