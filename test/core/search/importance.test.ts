import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomFor } from '../../../core/models/random.ts';
import { bestOf, deflatedLoss } from '../../../core/search/best.ts';
import { importanceChart, parallelCoordinates } from '../../../core/search/charts.ts';
import { importancesOf, ranksOf } from '../../../core/search/importance.ts';
import { pointAt } from '../../../core/search/point.ts';
import type { Outcome } from '../../../core/search/search-method.ts';
import type { Space } from '../../../core/search/space.ts';

const space: Space = [
  { kind: 'number', path: 'rate', low: 1e-4, high: 1, scale: 'log', integer: false },
  { kind: 'number', path: 'depth', low: 1, high: 9, scale: 'linear', integer: true },
  { kind: 'choice', path: 'kind', choices: ['a', 'b', 'c'] },
];

function outcomes(n: number, loss: (p: Readonly<Record<string, unknown>>) => number): Outcome[] {
  const uniform = randomFor(n, 77);
  return Array.from({ length: n }, () => {
    const point = pointAt(
      space,
      space.map(() => uniform()),
    );
    return { point, rungs: 1, loss: loss(point) };
  });
}

const sharesOf = (all: readonly Outcome[]): Record<string, number> =>
  Object.fromEntries(importancesOf(space, all).map(({ path, share }) => [path, share!]));

describe('importance of hyperparameters', () => {
  it('is high of the one that the loss depends on, near nothing of the others', () => {
    const byRate = sharesOf(outcomes(60, ({ rate }) => (Math.log10(rate as number) + 2) ** 2));
    assert.ok(byRate['rate']! > 0.75, JSON.stringify(byRate));
    assert.ok(byRate['depth']! < 0.1 && byRate['kind']! < 0.1, JSON.stringify(byRate));
    const byKind = sharesOf(outcomes(60, ({ kind }) => (kind === 'b' ? 0 : kind === 'a' ? 1 : 2)));
    assert.ok(byKind['kind']! > 0.99, JSON.stringify(byKind));
    assert.ok(byKind['rate']! < 0.1, JSON.stringify(byKind));
  });

  it('is near nothing of all where the loss is chance', () => {
    const uniform = randomFor(5);
    for (const share of Object.values(sharesOf(outcomes(80, () => uniform())))) {
      assert.ok(share < 0.12, `${share}`);
    }
  });

  it('does not change when one trial diverges', () => {
    const all = outcomes(60, ({ rate }) => Math.log10(rate as number));
    const worst = all.findIndex(({ loss }) => loss === Math.max(...all.map((o) => o.loss)));
    const diverged = all.with(worst, { ...all[worst]!, loss: 1e9 });
    assert.deepEqual(importancesOf(space, diverged), importancesOf(space, all));
  });

  it('is not known of a few trials, and nothing where all are alike', () => {
    assert.deepEqual(
      importancesOf(
        space,
        outcomes(7, () => 1),
      ).map(({ share }) => share),
      [null, null, null],
    );
    assert.deepEqual(
      importancesOf(
        space,
        outcomes(20, () => 1),
      ).map(({ share }) => share),
      [0, 0, 0],
    );
  });

  it('ranks further trials first, and equals alike', () => {
    const of = (rungs: number, loss: number): Outcome => ({ point: {}, rungs, loss });
    assert.deepEqual(
      ranksOf([of(1, 0.1), of(2, 5), of(2, 3), of(0, Infinity), of(0, Infinity)]),
      [3, 2, 1, 4.5, 4.5],
    );
  });
});

describe('the best trial', () => {
  it('is the least loss of those trained to their end, the earliest of equals', () => {
    const state = 'completed' as const;
    assert.equal(bestOf([]), undefined);
    assert.equal(
      bestOf([
        { trial: 0, state: 'pruned', loss: 0.1 },
        { trial: 1, state, loss: 0.5 },
        { trial: 2, state, loss: 0.5 },
        { trial: 3, state, loss: null },
      ])?.trial,
      1,
    );
  });

  it('is deflated by what the best of so many equals has by chance', () => {
    // Of standard normal losses the expected least of N is -E[max]; deflated it must be 0 on average.
    const uniform = randomFor(11);
    const normal = (): number =>
      Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    for (const n of [5, 30, 200]) {
      const rounds = 2000;
      let sum = 0;
      for (let i = 0; i < rounds; i++) {
        sum += deflatedLoss(Array.from({ length: n }, normal), n);
      }
      assert.ok(Math.abs(sum / rounds) < 0.09, `${n}: ${sum / rounds}`);
    }
    assert.equal(deflatedLoss([0.5], 1), 0.5);
    assert.equal(deflatedLoss([0.5], 20), 0.5);
  });
});

describe('charts of a search', () => {
  const trials = outcomes(12, ({ depth }) => depth as number).map((outcome, i) => ({
    ...outcome,
    state: i === 3 ? ('pruned' as const) : ('completed' as const),
    best: i === 0,
  }));

  it('draw a line a trial and an axis a hyperparameter', () => {
    const chart = parallelCoordinates(space, trials);
    assert.equal(chart.match(/<path /g)?.length, 12);
    for (const name of ['rate', 'depth', 'kind', 'validation loss'])
      assert.ok(chart.includes(name));
    assert.equal(chart.match(/stroke-dasharray/g)?.length, 1);
    assert.ok(!chart.includes('NaN'));
    assert.ok(!parallelCoordinates(space, []).includes('NaN'));
    const equal = trials.map((trial) => ({ ...trial, loss: 1 }));
    assert.ok(!parallelCoordinates(space, equal).includes('NaN'));
  });

  it('draw importances from the largest down, or nothing', () => {
    const chart = importanceChart([
      { path: 'rate', share: 0.1 },
      { path: 'depth', share: 0.9 },
    ])!;
    assert.ok(chart.indexOf('depth') < chart.indexOf('rate'));
    assert.equal(importanceChart([{ path: 'rate', share: null }]), undefined);
  });
});
