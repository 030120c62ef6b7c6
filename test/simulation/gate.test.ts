/** A reduced protocol P1 (the whole one: `npm run simulate`). Seeded: it passes or fails the same way each time. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { powerOf } from '../../core/metrics/power.ts';
import { binomialQuantile, failures } from './acceptance.ts';
import { designs, labelsOf, worldOf } from './designs.ts';
import { markets } from './markets.ts';
import { cells, simulate, type Method } from './protocol.ts';

const SERIES = 240;
const reduced = cells.filter(
  ({ kind, rows, horizon }) => horizon === 7 || (kind === 'sequential' && rows + horizon === 2001),
);
const counts = simulate({ series: SERIES, seed: 7, cells: reduced });

const promoted = (method: Method, design: string, horizon: number): number =>
  counts.find((c) => c.method === method && c.design.name === design && c.cell.horizon === horizon)!
    .promoted;

describe('false promotions stay within what chance explains', () => {
  for (const method of ['test', 'gate', 'sequence', 'eValue'] as const) {
    test(method, () => assert.deepEqual(failures(counts, method), []));
  }
});

describe('the same check fails a broken test', () => {
  test('one that takes overlapping losses for independent', () => {
    assert.ok(failures(counts, 'naive').length >= 6, failures(counts, 'naive').join('; '));
  });

  test('one that looks at each block until it likes what it sees', () => {
    assert.ok(failures(counts, 'peeking').length >= 6, failures(counts, 'peeking').join('; '));
  });

  test('one that tries ten challengers at p <= 5 % each', () => {
    assert.ok(promoted('test', 'N5', 7) > binomialQuantile(0.997, SERIES, 0.05));
  });
});

test('a better challenger is found: a test that never promotes would pass the bounds above', () => {
  assert.ok(promoted('test', 'P10', 7) > 0.45 * SERIES);
  assert.ok(promoted('sequence', 'P10', 7) > 0.45 * SERIES);
  assert.ok(promoted('sequence', 'P10', 1) > 0.95 * SERIES);
  assert.ok(promoted('eValue', 'P10', 1) > 0.95 * SERIES);
});

test('one that is better by more is found no less often', () => {
  for (const { method, cell } of counts.filter(({ design }) => design.name === 'P2')) {
    const found = ['P2', 'P5', 'P10'].map(
      (name) =>
        counts.find((c) => c.method === method && c.cell === cell && c.design.name === name)!
          .promoted,
    );
    assert.deepEqual(
      found,
      found.toSorted((a, b) => a - b),
      method,
    );
  }
});

test('bounds of the binomial: 62 and 70 of 1,000', () => {
  assert.equal(binomialQuantile(0.95, 1000, 0.05), 62);
  assert.equal(binomialQuantile(0.997, 1000, 0.05), 70);
});

test('evidence sheets print the power that the full simulation measured', () => {
  const page = readFileSync(new URL('../../docs/gate-simulation.md', import.meta.url), 'utf8');
  const section = page.slice(page.indexOf('## Power of the comparison test'));
  const rows = [...section.matchAll(/^\| (\d+), (\d+) \| ([\d.]+) % \| [^|]+ \| ([\d.]+) %/gm)];
  const measured = rows.map((row) => row.slice(1).map(Number));
  assert.equal(measured.length, cells.filter(({ kind }) => kind === 'fixed').length);
  for (const [n, h, at2, at5] of measured) {
    const { reduction2, reduction5 } = powerOf(n!, h!)!;
    assert.ok(Math.abs(100 * reduction2 - at2!) <= 1.5, `${n}, ${h}: ${reduction2}`);
    assert.ok(Math.abs(100 * reduction5 - at5!) <= 1.5, `${n}, ${h}: ${reduction5}`);
  }
});

describe('the generators give what the protocol says', () => {
  const ROWS = 60_000;
  const HORIZON = 7;

  for (const [seed, market] of markets.entries()) {
    const world = worldOf(market, seed, ROWS + HORIZON + 1);
    const label = labelsOf(world.returns, ROWS, HORIZON);
    const meanOf = (x: Float64Array): number => x.reduce((sum, v) => sum + v, 0) / x.length;

    test(`${market.name}: labels of unit variance`, () => {
      // Real returns revert a little within a week, so that their sums vary less than independent ones.
      const variance = meanOf(label.map((y) => y * y));
      assert.ok(variance > 0.7 && variance < 1.15, String(variance));
    });

    test(`${market.name}: models differ by what the design says, in expectation`, () => {
      for (const design of designs) {
        const { champion, challengers } = design.losses(world, label);
        const difference = meanOf(champion) - meanOf(challengers[0]![0]!);
        const slack = 0.006 + Math.abs(design.reduction) / 5;
        assert.ok(
          Math.abs(difference - design.reduction) < slack,
          `${design.name}: ${difference.toFixed(4)}`,
        );
      }
    });
  }

  test('a label is the sum of the returns of the next bars', () => {
    const returns = Float64Array.from([9, 1, 2, 3, 4, 5]);
    const labels = labelsOf(returns, 3, 2);
    for (const [t, sum] of [3, 5, 7].entries()) {
      assert.ok(Math.abs(labels[t]! - sum / Math.SQRT2) < 1e-12);
    }
  });

  test('the same seed gives the same counts, another one others', () => {
    const small = { series: 12, cells: reduced.slice(0, 1) };
    const [a, b, c] = [1, 1, 2].map((seed) => simulate({ ...small, seed }));
    assert.deepEqual(a, b);
    assert.notDeepEqual(a, c);
  });
});
