import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { forecastBlocks } from '../../../core/models/ensemble/blocks.ts';
import { combine } from '../../../core/models/ensemble/combiner.ts';
import { fitPool } from '../../../core/models/ensemble/pool.ts';
import { minimise, type Convex } from '../../../core/models/ensemble/minimise.ts';
import type { Samples } from '../../../core/models/model.ts';
import { normalFrom, randomFor } from '../../../core/models/random.ts';
import { parseSpec } from '../../../core/spec/parse-spec.ts';
import { SpecError } from '../../../core/spec/spec-error.ts';

/** 1/2 x'Ax - b'x. */
function quadratic(a: Float64Array, b: Float64Array): Convex {
  const n = b.length;
  return (x) => {
    const gradient = new Float64Array(n);
    let value = 0;
    for (let i = 0; i < n; i++) {
      let product = 0;
      for (let j = 0; j < n; j++) product += a[i * n + j]! * x[j]!;
      gradient[i] = product - b[i]!;
      value += x[i]! * (product / 2 - b[i]!);
    }
    return { value, gradient, hessian: a };
  };
}

describe('the minimum with variables at 0 or above', () => {
  it('meets the conditions of Karush, Kuhn and Tucker on random quadratics', () => {
    let held = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const normal = normalFrom(randomFor(seed));
      const n = 2 + (seed % 7);
      const root = Float64Array.from({ length: n * n }, normal);
      const a = Float64Array.from({ length: n * n }, (_, at) => {
        const [i, j] = [Math.floor(at / n), at % n];
        let sum = i === j ? 0.1 : 0;
        for (let k = 0; k < n; k++) sum += root[i * n + k]! * root[j * n + k]!;
        return sum;
      });
      const convex = quadratic(a, Float64Array.from({ length: n }, normal));
      const bounded = Array.from({ length: n }, (_, i) => i < n - 1);
      const x = minimise(convex, new Float64Array(n).fill(1 / n), bounded);
      const { gradient } = convex(x);
      x.forEach((value, i) => {
        if (bounded[i]) assert.ok(value >= 0);
        if (bounded[i] && value === 0) {
          held++;
          assert.ok(gradient[i]! >= -1e-7, `seed ${seed}: ${gradient[i]}`);
        } else assert.ok(Math.abs(gradient[i]!) < 1e-7, `seed ${seed}: ${gradient[i]}`);
      });
    }
    assert.ok(held > 100);
  });
});

const samples = (labels: Float64Array, horizons: number[], classes: number): Samples => {
  const rows = labels.length / horizons.length;
  const endRow = Int32Array.from({ length: rows }, (_, i) => i);
  const features = new Float64Array(rows);
  return { features, featureCount: 1, lookback: 1, endRow, labels, horizons, classes };
};

describe('a pool', () => {
  const ROWS = 4000;
  const normal = normalFrom(randomFor(7));
  const draw = () => Float64Array.from({ length: ROWS }, normal);

  it('finds the weights of a quantity, and gives one that misleads nothing', () => {
    const [a, b, noise] = [draw(), draw(), draw()];
    const y = a.map((value, t) => 5 + 2 * value - 1.5 * b[t]! + 0.1 * noise[t]!);
    const scaler = { offset: [5], factor: [0.4] };
    const asked = { penalty: 1e-3, nonNegative: false };
    const of = samples(y, [1], 0);
    const free = fitPool([a, b], of, asked, { kind: 'standard', ...scaler });
    assert.ok(free.kind === 'pool');
    const expected = [2, -1.5, 5];
    [...free.weights[0]!, ...free.offsets[0]!].forEach((value, i) => {
      assert.ok(Math.abs(value - expected[i]!) < 0.01, `${value}, expected ${expected[i]}`);
    });
    const bound = fitPool(
      [a, b],
      of,
      { ...asked, nonNegative: true },
      { kind: 'standard', ...scaler },
    );
    assert.ok(bound.kind === 'pool');
    assert.equal(bound.weights[0]![1], 0);
    assert.ok(Math.abs(bound.weights[0]![0]! - 2) < 0.1);
  });

  it('a penalty of many rows leaves the weights equal', () => {
    const [a, b] = [draw(), draw()];
    const asked = { penalty: 1e9, nonNegative: true };
    const scaler = { kind: 'standard', offset: [0], factor: [1] } as const;
    const pool = fitPool([a, b], samples(a, [1], 0), asked, scaler);
    assert.ok(pool.kind === 'pool');
    pool.weights[0]!.forEach((w) => assert.ok(Math.abs(w - 0.5) < 1e-4));
  });

  it('trusts the member that knows the classes, and brings back one that is too sure', () => {
    const classes = 3;
    const random = randomFor(11);
    const y = Float64Array.from({ length: ROWS }, () => Math.floor(random() * classes));
    // Right in six cases of ten, and says so; the other says .98 for anything.
    const guess = y.map((own) => (random() < 0.6 ? own : (own + 1 + Math.floor(random() * 2)) % 3));
    const sure = (p: number, of: (t: number) => number) =>
      Float64Array.from({ length: ROWS * classes }, (_, at) =>
        at % classes === of(Math.floor(at / classes)) ? p : (1 - p) / 2,
      );
    const knows = sure(0.98, (t) => guess[t]!);
    const blind = sure(0.98, () => Math.floor(random() * classes));
    const scaler = { kind: 'none', offset: [0], factor: [1] } as const;
    const pool = fitPool(
      [knows, blind],
      samples(y, [1], classes),
      { penalty: 1, nonNegative: true },
      scaler,
    );
    assert.ok(pool.kind === 'pool');
    const said = combine(pool, [knows, blind], { horizons: 1, classes });
    const first = said.subarray(0, classes);
    assert.ok(Math.abs(first[guess[0]!]! - 0.6) < 0.04, `${[...first].join(' ')}`);
    assert.ok(pool.weights[0]![1]! < 0.03);
  });
});

describe('blocks of the training part', () => {
  it('learn only from labels that had ended, over a pool too, and forecast every later time once', () => {
    const [bars, horizons] = [300, [1, 5]];
    // Two instruments, one after the other; the second begins 40 bars later.
    const openTime = Float64Array.from({ length: 2 * bars - 40 }, (_, row) =>
      row < bars ? row : row - bars + 40,
    );
    const rows = [...openTime.keys()].filter((row) => row % bars > 10 && openTime[row]! < 290);
    const endRow = Int32Array.from(rows.toSorted((a, b) => openTime[a]! - openTime[b]! || a - b));
    const of = {
      ...samples(new Float64Array(2 * endRow.length), [1, 5], 0),
      features: new Float64Array(openTime.length),
      horizons,
      endRow,
      openTime,
    };
    const blocks = forecastBlocks(of, 3);
    assert.equal(blocks.length, 3);
    const time = (place: number) => openTime[endRow[place]!]!;
    const forecast = blocks.flatMap((block) => [...block.forecast]);
    assert.equal(new Set(forecast).size, forecast.length);
    blocks.forEach(({ learn, forecast: later }) => {
      const begins = Math.min(...[...later].map(time));
      assert.ok(learn.every((place) => time(place) + 5 < begins));
      assert.ok(
        [...learn].some((place) => time(place) + 6 === begins),
        'no more left out',
      );
    });
    const earliest = Math.min(...forecast.map(time));
    assert.equal(forecast.length, [...endRow.keys()].filter((p) => time(p) >= earliest).length);
    assert.throws(() => forecastBlocks({ ...of, endRow: endRow.subarray(0, 60) }, 3), {
      code: 'training.no-samples',
      message: /folds/,
    });
  });
});

describe('an ensemble in a spec', () => {
  const spec = (hyperparameters: object, label: object = {}) => ({
    name: 'e',
    model: 'e',
    data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC'] },
    label: { kind: 'forwardLogReturn', horizons: [1, 2], ...label },
    scaling: { features: 'standard', labels: 'none' in label ? 'none' : 'standard' },
    family: 'ensemble',
    hyperparameters,
  });
  const issuesOf = (hyperparameters: object, label?: object) => {
    try {
      parseSpec(spec(hyperparameters, label));
      return [];
    } catch (error) {
      assert.ok(error instanceof SpecError);
      return error.issues;
    }
  };
  const member = (family: string, hyperparameters: object = {}) => ({ family, hyperparameters });

  it('stands in the examples', () => {
    const file = new URL('../../../examples/index-ensemble.yaml', import.meta.url);
    assert.equal(parseSpec(parse(readFileSync(file, 'utf8'))).family, 'ensemble');
  });

  it('is filled in down to the hyperparameters of its members', () => {
    const { hyperparameters } = parseSpec(
      spec({ members: [{ family: 'ridge' }, { family: 'lightgbm' }] }),
    );
    const members = hyperparameters['members'] as { hyperparameters: Record<string, unknown> }[];
    assert.ok(Array.isArray(members[0]!.hyperparameters['alphas']));
    assert.equal(members[1]!.hyperparameters['rounds'], 500);
    assert.equal(hyperparameters['method'], 'voting');
  });

  for (const [what, hyperparameters, path, label] of [
    [
      'a hyperparameter of a member',
      { members: [member('ridge'), member('lightgbm', { rounds: 0 })] },
      'hyperparameters.members[1].hyperparameters.rounds',
    ],
    [
      'an unknown one',
      { members: [member('ridge', { alpha: 1 }), member('naive')] },
      'hyperparameters.members[0].hyperparameters.alpha',
    ],
    [
      'an unknown family',
      { members: [member('ridge'), member('lightgbn')] },
      'hyperparameters.members[1].family',
    ],
    [
      'an ensemble inside',
      { members: [member('ridge'), member('ensemble')] },
      'hyperparameters.members[1].family',
    ],
    [
      'a member for classes',
      { members: [member('ridge'), member('logistic')] },
      'hyperparameters.members[1].family',
    ],
    [
      'a member for quantities',
      { members: [member('lightgbm'), member('ridge')] },
      'hyperparameters.members[1].family',
      { kind: 'threeClass' },
    ],
    ['votes for quantities', { voting: 'hard' }, 'hyperparameters.voting'],
    ['weights too few', { voting: 'weighted', weights: [1, 1, 1] }, 'hyperparameters.weights'],
    ['weights without a use', { weights: [1, 1] }, 'hyperparameters.weights'],
    [
      'loss weights of a member',
      { members: [member('ridge'), member('lstm-multi-horizon', { lossWeights: [1] })] },
      'hyperparameters.members[1].hyperparameters.lossWeights',
    ],
    ['one member', { members: [member('ridge')] }, 'hyperparameters.members'],
  ] as const) {
    it(`is refused with the place of what is wrong: ${what}`, () => {
      const issues = issuesOf(hyperparameters, label);
      assert.ok(
        issues.some((issue) => issue.path === path),
        JSON.stringify(issues),
      );
    });
  }
});
