import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashKey, normalFrom, permutation, randomFor } from '../../../core/models/random.ts';

describe('seeded randomness', () => {
  it('is a function of the whole key', () => {
    const first = (...key: number[]): number => randomFor(...key)();
    assert.equal(first(1, 2), first(1, 2));
    const values = [first(1), first(2), first(1, 2), first(2, 1), first(1, 0), first(0, 1)];
    assert.equal(new Set(values).size, values.length);
    assert.equal(new Set(Array.from({ length: 10_000 }, (_, i) => hashKey(i, 7))).size, 10_000);
  });

  it('is uniform', () => {
    const random = randomFor(3);
    const bins = new Array<number>(20).fill(0);
    for (let i = 0; i < 20_000; i++) bins[Math.floor(random() * 20)]! += 1;
    const chi2 = bins.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    // 19 degrees of freedom: above 43.8 once in 1,000 seeds.
    assert.ok(chi2 < 43.8, `chi-square ${chi2}`);
  });

  it('has normal numbers of mean 0 and variance 1', () => {
    const normal = normalFrom(randomFor(4));
    const values = Array.from({ length: 20_000 }, normal);
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((a, b) => a + b * b, 0) / values.length;
    assert.ok(Math.abs(mean) < 0.03 && Math.abs(variance - 1) < 0.05, `${mean} ${variance}`);
  });

  it('permutes: every index once, every place equally often', () => {
    assert.deepEqual(
      [...permutation(50, randomFor(1))].sort((a, b) => a - b),
      [...Array(50).keys()],
    );
    const first = new Array<number>(5).fill(0);
    for (let i = 0; i < 5000; i++) first[permutation(5, randomFor(9, i))[0]!]! += 1;
    for (const n of first) assert.ok(Math.abs(n - 1000) < 120, `${first}`);
    assert.equal(permutation(0, randomFor(1)).length, 0);
  });
});
