import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { randomFor } from '../../../core/models/random.ts';
import {
  prunerOrThrow,
  pruners,
  searchMethodOrThrow,
  searchMethods,
} from '../../../core/search/index.ts';
import { pointKey, type Point } from '../../../core/search/point.ts';
import type { Outcome, SearchMethod } from '../../../core/search/search-method.ts';
import { spaceOf, type Space } from '../../../core/search/space.ts';

const { space } = spaceOf(
  z.strictObject({
    learningRate: z
      .number()
      .positive()
      .max(1)
      .meta({ search: { low: 1e-5, high: 0.1 } }),
    dropout: z.number().min(0).max(0.9).meta({ search: {} }),
    depth: z.int().min(1).max(12).meta({ search: {} }),
    kind: z.enum(['a', 'b', 'c', 'd']).meta({ search: {} }),
    units: z.array(z.int()).meta({ search: { choices: [[8], [16], [8, 8], [32, 32]] } }),
  }),
  undefined,
);

/** Least, 0, at learningRate 1e-3, dropout 0.3, depth 9, kind c, units [8, 8]. */
function planted(point: Point): number {
  const { learningRate, dropout, depth, kind, units } = point as {
    learningRate: number;
    dropout: number;
    depth: number;
    kind: string;
    units: readonly number[];
  };
  return (
    (Math.log10(learningRate) + 3) ** 2 +
    9 * (dropout - 0.3) ** 2 +
    ((depth - 9) / 6) ** 2 +
    (kind === 'c' ? 0 : kind === 'a' ? 0.4 : 0.8) +
    (units.length === 2 && units[0] === 8 ? 0 : 0.5)
  );
}

interface Plan {
  readonly seed: number;
  readonly trials: number;
  readonly window?: number;
  readonly space?: Space;
  readonly loss?: (point: Point, index: number) => number;
  /** Which of the running trials ends next. */
  readonly pick?: (running: readonly number[]) => number;
}

/** A search as the sweep runs it: trial k begins when all trials up to k - window have ended. */
function searchWith(method: SearchMethod, plan: Plan): readonly Outcome[] {
  const { seed, trials, window = 4, loss = planted, pick = (running) => running[0]! } = plan;
  const within = plan.space ?? space;
  const points: Point[] = [];
  const ended = new Map<number, Outcome>();
  let running: number[] = [];
  for (let index = 0; index < trials; index++) {
    const until = index - window;
    while (running.some((k) => k <= until)) {
      const k = pick(running);
      running = running.filter((other) => other !== k);
      ended.set(k, { point: points[k]!, rungs: 1, loss: loss(points[k]!, k) });
    }
    const known = points.slice(0, Math.max(0, until + 1)).map((_, k) => ended.get(k)!);
    const point = method.suggest({ space: within, seed, index, trials, earlier: points, known });
    if (point === undefined) break;
    points.push(point);
    running.push(index);
  }
  return points.map((point, k) => ended.get(k) ?? { point, rungs: 1, loss: loss(point, k) });
}

const best = (outcomes: readonly Outcome[]): number => Math.min(...outcomes.map((o) => o.loss));
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);

for (const method of searchMethods) {
  describe(`search ${method.name}`, () => {
    const plan = { seed: 5, trials: 40 };
    const outcomes = searchWith(method, plan);

    it('gives as many different points as are asked for, or says that there are no more', () => {
      const most = method.pointsOf?.(space, plan.trials) ?? plan.trials;
      assert.equal(outcomes.length, Math.min(plan.trials, most));
      const keys = new Set(outcomes.map(({ point }) => pointKey(space, point)));
      assert.equal(keys.size, outcomes.length);
    });

    it('gives the same points in whatever order trials end', () => {
      for (const order of [1, 2, 3]) {
        const uniform = randomFor(99, order);
        const pick = (running: readonly number[]): number =>
          running[Math.floor(uniform() * running.length)]!;
        assert.deepEqual(searchWith(method, { ...plan, pick }), outcomes);
      }
    });

    it('gives values inside the space, of the right kind', () => {
      for (const { point } of outcomes) {
        for (const dimension of space) {
          const value = point[dimension.path];
          if (dimension.kind === 'choice') assert.ok(dimension.choices.includes(value));
          else {
            assert.ok(typeof value === 'number');
            assert.ok(value >= dimension.low && value <= dimension.high, `${value}`);
            if (dimension.integer) assert.ok(Number.isInteger(value));
          }
        }
      }
    });

    it('goes on after trials that failed', () => {
      const failing = searchWith(method, { ...plan, loss: () => Infinity });
      assert.equal(failing.length, outcomes.length);
    });

    it('ends where a small space is used up', () => {
      const { space: small } = spaceOf(
        z.strictObject({ flag: z.boolean(), n: z.int().min(1).max(3) }),
        undefined,
      );
      const all = searchWith(method, { ...plan, space: small, loss: () => 1 });
      assert.equal(new Set(all.map(({ point }) => pointKey(small, point))).size, 6);
      assert.equal(all.length, 6);
    });
  });
}

describe('search tpe', () => {
  const bestBy = (name: string, window: number, trials = 40): number[] =>
    SEEDS.map((seed) => best(searchWith(searchMethodOrThrow(name), { seed, trials, window })));

  for (const window of [1, 4]) {
    it(`finds better points than random with ${window} trials at once`, () => {
      const [ours, theirs] = [bestBy('tpe', window), bestBy('random', window)];
      assert.ok(mean(ours) < 0.6 * mean(theirs), `${mean(ours)} against ${mean(theirs)}`);
      const wins = SEEDS.filter((_, i) => ours[i]! < theirs[i]!).length;
      assert.ok(wins >= 28, `${wins} of ${SEEDS.length} seeds`);
    });
  }

  it('comes close to a planted optimum', () => {
    const points = SEEDS.map((seed) =>
      searchWith(searchMethodOrThrow('tpe'), { seed, trials: 120 }).toSorted(
        (a, b) => a.loss - b.loss,
      ),
    );
    assert.ok(mean(points.map((outcomes) => outcomes[0]!.loss)) < 0.2);
    const kinds = points.map((outcomes) => outcomes[0]!.point['kind']);
    assert.ok(kinds.filter((kind) => kind === 'c').length >= 30, kinds.join());
  });

  it('gives other points for another seed', () => {
    const of = (seed: number): unknown =>
      searchWith(searchMethodOrThrow('tpe'), { seed, trials: 20 }).map(({ point }) => point);
    assert.notDeepEqual(of(1), of(2));
  });
});

describe('search grid', () => {
  const schema = z.strictObject({
    rate: z.number().min(0.001).max(1),
    depth: z.int().min(2).max(4),
    kind: z.enum(['a', 'b']),
  });

  it('covers every combination once', () => {
    const { space: small } = spaceOf(schema, { rate: { points: 4 }, depth: {}, kind: {} });
    const method = searchMethodOrThrow('grid');
    const trials = 24;
    assert.equal(method.pointsOf?.(small, trials), 24);
    const outcomes = searchWith(method, { seed: 1, trials: 100, space: small, loss: () => 1 });
    const values = (path: string): unknown[] => [
      ...new Set(outcomes.map(({ point }) => point[path])),
    ];
    assert.deepEqual(values('rate'), [0.001, 0.01, 0.1, 1]);
    assert.deepEqual(values('depth'), [2, 3, 4]);
    assert.deepEqual(values('kind'), ['a', 'b']);
    assert.equal(outcomes.length, 24);
  });

  it('takes as many values of a number as the trials allow', () => {
    const { space: small } = spaceOf(schema, { rate: {}, kind: {} });
    const sizeWith = (trials: number): number | undefined =>
      searchMethodOrThrow('grid').pointsOf?.(small, trials);
    assert.deepEqual([4, 9, 10, 27].map(sizeWith), [4, 8, 10, 26]);
  });
});

describe('pruners', () => {
  for (const pruner of pruners) {
    it(`${pruner.name} ends with the whole budget, by growing rungs`, () => {
      for (const full of [1, 2, 3, 10, 100, 5000]) {
        const rungs = pruner.rungs(full);
        assert.equal(rungs.at(-1), full);
        assert.ok(rungs[0]! >= 1);
        assert.deepEqual(
          rungs,
          [...new Set(rungs)].toSorted((a, b) => a - b),
        );
      }
    });
  }

  it('successive halving lets the best third go on, and a new best always', () => {
    const { keeps, rungs } = prunerOrThrow('successiveHalving');
    assert.deepEqual(rungs(100), [4, 12, 34, 100]);
    assert.equal(keeps(5, []), true);
    assert.equal(keeps(5, [1, 9, 9]), false);
    assert.equal(keeps(2, [1, 9, 9, 9, 9]), true);
    assert.equal(keeps(9.5, [1, 9, 9, 9, 9]), false);
    assert.equal(keeps(1, [1]), false, 'the earlier of equals');
    assert.equal(keeps(NaN, []), false);
    assert.equal(keeps(Infinity, []), false);
  });

  it('successive halving spends a fraction of the budget and keeps the best', () => {
    const { keeps, rungs } = prunerOrThrow('successiveHalving');
    const budgets = rungs(27);
    const spent: number[] = [];
    const finished: number[] = [];
    const losses: number[][] = budgets.map(() => []);
    const outcomes = searchWith(searchMethodOrThrow('random'), { seed: 3, trials: 60 });
    for (const { loss } of outcomes) {
      for (const [rung, budget] of budgets.entries()) {
        // The longer, the nearer to the loss at the end.
        const seen = loss + 0.5 / budget;
        const goesOn = keeps(seen, losses[rung]!);
        losses[rung]!.push(seen);
        if (rung === budgets.length - 1) finished.push(loss);
        if (!goesOn || rung === budgets.length - 1) {
          spent.push(budget);
          break;
        }
      }
    }
    assert.ok(mean(spent) < 27 / 3, `mean budget ${mean(spent)}`);
    assert.equal(Math.min(...finished), best(outcomes));
  });

  it('name what they do not know', () => {
    assert.throws(() => prunerOrThrow('hyperband'), { code: 'search.unknown-pruner' });
    assert.throws(() => searchMethodOrThrow('bayes'), { code: 'search.unknown-method' });
  });
});
