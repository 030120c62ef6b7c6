import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { armOf, routingPoint } from '../../../core/trials/routing.ts';

const TRIAL = '01JTRIAL00000000000000000A';
const keys = Array.from({ length: 20_000 }, (_, n) => `customer-${n}`);
const points = keys.map((key) => routingPoint(TRIAL, key));

describe('routing of a canary', () => {
  it('spreads keys evenly over [0, 1)', () => {
    assert.ok(points.every((point) => point >= 0 && point < 1));
    const bins = new Array<number>(50).fill(0);
    for (const point of points) bins[Math.floor(point * 50)]!++;
    const expected = keys.length / 50;
    const chiSquare = bins.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // 99.9th percentile of chi-square with 49 degrees of freedom.
    assert.ok(chiSquare < 85.4, `chi-square ${chiSquare}`);
  });

  it('gives the challenger its share, within four standard deviations', () => {
    for (const share of [0.01, 0.05, 0.25, 0.5, 0.9]) {
      const n = keys.filter((key) => armOf(TRIAL, key, share) === 'challenger').length;
      const sd = Math.sqrt(keys.length * share * (1 - share));
      assert.ok(Math.abs(n - keys.length * share) < 4 * sd, `${n} of share ${share}`);
    }
    assert.ok(keys.every((key) => armOf(TRIAL, key, 0) === 'champion'));
    assert.ok(keys.every((key) => armOf(TRIAL, key, 1) === 'challenger'));
  });

  it('a higher share moves keys to the challenger, and none away from it', () => {
    const shares = [0, 0.05, 0.1, 0.25, 0.5, 0.75, 1];
    let before = new Set<string>();
    for (const share of shares) {
      const now = new Set(keys.filter((key) => armOf(TRIAL, key, share) === 'challenger'));
      assert.ok([...before].every((key) => now.has(key)));
      before = now;
    }
  });

  it('is the same on every replica, and dealt anew for every trial', () => {
    // Fixed: replicas of two releases must agree while one is replaced by the other.
    assert.equal(routingPoint('trial', 'key'), 0.038205481737321634);
    const other = keys.map((key) => routingPoint('01JTRIAL00000000000000000B', key));
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, v) => sum + v, 0) / values.length;
    const [a, b] = [mean(points), mean(other)];
    const covariance = mean(points.map((point, i) => (point - a) * (other[i]! - b)));
    // Of independent uniforms: SD of the correlation is 1 / sqrt(n).
    assert.ok(Math.abs(covariance * 12) < 4 / Math.sqrt(keys.length), String(covariance * 12));
    // Where trial ends and key begins is part of what is hashed.
    assert.notEqual(routingPoint('a', 'bc'), routingPoint('ab', 'c'));
  });
});
