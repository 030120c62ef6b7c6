import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { modelFamilies } from '../../../core/models/index.ts';
import { randomFor, normalFrom } from '../../../core/models/random.ts';
import { normalCdf, normalQuantile } from '../../../core/search/normal.ts';
import { parzen } from '../../../core/search/parzen.ts';
import { shareOf, valueAt, withPoint } from '../../../core/search/point.ts';
import { spaceOf, type Dimension } from '../../../core/search/space.ts';

const schema = z.strictObject({
  rate: z.number().gt(0).max(1).default(0.1),
  trees: z.int().min(1).max(5000).default(100),
  leaves: z.int().min(2).default(31),
  objective: z.enum(['l1', 'l2']).default('l2'),
  bagging: z.boolean().default(false),
  depth: z.union([z.literal('auto'), z.int().min(3).max(5)]).default('auto'),
  widths: z.array(z.int()).default([8]),
  stop: z.strictObject({ patience: z.int().min(1).max(50).default(5) }).prefault({}),
});

const numberOf = (dimension: Dimension | undefined): Extract<Dimension, { kind: 'number' }> => {
  assert.ok(dimension?.kind === 'number');
  return dimension;
};

describe('search space', () => {
  it('is what the schema bounds, where nothing is hinted; never the training budget', () => {
    const { space, issues } = spaceOf(schema, undefined, 'trees');
    assert.deepEqual(issues, []);
    assert.deepEqual(
      space.map(({ path }) => path),
      ['objective', 'bagging', 'depth', 'stop.patience'],
    );
    assert.deepEqual(space[0], { kind: 'choice', path: 'objective', choices: ['l1', 'l2'] });
    assert.deepEqual(space[1], { kind: 'choice', path: 'bagging', choices: [false, true] });
    assert.equal(numberOf(space[2]).integer, true);
  });

  it('is what the schema hints at, where it does', () => {
    const hinted = schema.extend({
      rate: z
        .number()
        .gt(0)
        .max(1)
        .default(0.1)
        .meta({ search: { low: 0.001, high: 0.5 } }),
    });
    const { space } = spaceOf(hinted, undefined);
    assert.deepEqual(space, [
      { kind: 'number', path: 'rate', low: 0.001, high: 0.5, scale: 'log', integer: false },
    ]);
  });

  it('is what is asked for, completed from the schema, in its order', () => {
    const { space, issues } = spaceOf(schema, {
      'stop.patience': {},
      widths: { choices: [[8], [8, 8]] },
      rate: { low: 0.01 },
    });
    assert.deepEqual(issues, []);
    assert.deepEqual(space, [
      { kind: 'number', path: 'rate', low: 0.01, high: 1, scale: 'log', integer: false },
      { kind: 'choice', path: 'widths', choices: [[8], [8, 8]] },
      { kind: 'number', path: 'stop.patience', low: 1, high: 50, scale: 'linear', integer: true },
    ]);
  });

  const refused: readonly [string, Parameters<typeof spaceOf>[1], RegExp][] = [
    ['an unknown name', { lerningRate: {} }, /no such hyperparameter/],
    ['a number without bounds', { leaves: {} }, /give `low` and `high`/],
    ['a list without choices', { widths: {} }, /give `choices`/],
    ['bounds the wrong way round', { rate: { low: 0.5, high: 0.5 } }, /must lie below/],
    ['a fraction of a whole number', { trees: { low: 1.5, high: 9 } }, /must be whole/],
    ['a logarithm of zero', { rate: { low: 0, scale: 'log' } }, /above 0/],
    ['a choice twice', { widths: { choices: [[1], [1]] } }, /twice/],
    ['choices with bounds', { rate: { choices: [0.1, 0.2], low: 0.1 } }, /no meaning/],
  ];
  for (const [what, asked, message] of refused) {
    it(`refuses ${what}`, () => {
      const { issues } = spaceOf(schema, asked);
      assert.equal(issues.length, 1);
      assert.match(issues[0]!.message, message);
    });
  }

  it('puts nested values in their place and leaves the rest', () => {
    const given = { rate: 0.1, stop: { patience: 5, delta: 1 } };
    assert.deepEqual(withPoint(given, { 'stop.patience': 9, rate: 0.2 }), {
      rate: 0.2,
      stop: { patience: 9, delta: 1 },
    });
    assert.deepEqual(given, { rate: 0.1, stop: { patience: 5, delta: 1 } });
  });

  for (const family of modelFamilies) {
    it(`of ${family.name} holds values that the family takes`, () => {
      const { space } = spaceOf(family.params, undefined, family.traits.budget);
      for (const dimension of space) {
        const ends =
          dimension.kind === 'choice' ? dimension.choices : [dimension.low, dimension.high];
        for (const value of ends) {
          const defaults = family.params.parse({}) as Record<string, unknown>;
          const params = withPoint(defaults, { [dimension.path]: value });
          assert.ok(family.params.safeParse(params).success, `${dimension.path} = ${value}`);
        }
      }
    });
  }
});

describe('shares of a range', () => {
  const dimensions = [
    { low: 1e-5, high: 0.1, scale: 'log', integer: false },
    { low: -2, high: 3, scale: 'linear', integer: false },
    { low: 1, high: 1000, scale: 'log', integer: true },
    { low: 2, high: 7, scale: 'linear', integer: true },
  ] as const;
  for (const bounds of dimensions) {
    const dimension = { kind: 'number', path: 'x', ...bounds } as const;
    it(`${bounds.scale} from ${bounds.low} to ${bounds.high}${bounds.integer ? ', whole' : ''}`, () => {
      assert.equal(valueAt(dimension, 0), bounds.low);
      assert.equal(valueAt(dimension, 1), bounds.high);
      for (let i = 0; i <= 100; i++) {
        const value = valueAt(dimension, i / 100);
        assert.equal(valueAt(dimension, shareOf(dimension, value)), value);
        assert.ok(value >= bounds.low && value <= bounds.high);
      }
    });
  }

  it('every whole number is as likely as the others', () => {
    const dimension = { kind: 'number', path: 'x', ...dimensions[3] } as const;
    const counts = new Map<number, number>();
    for (let i = 0; i < 600; i++) {
      const value = valueAt(dimension, (i + 0.5) / 600);
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    assert.deepEqual([...counts.values()], [100, 100, 100, 100, 100, 100]);
  });
});

describe('Parzen estimators', () => {
  const real = {
    kind: 'number',
    path: 'x',
    low: 0,
    high: 1,
    scale: 'linear',
    integer: false,
  } as const;

  it('are densities: they add up to one', () => {
    const density = parzen(real, [0.1, 0.15, 0.8]);
    const n = 20_000;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += density.of((i + 0.5) / n) / n;
    assert.ok(Math.abs(sum - 1) < 1e-5, `${sum}`);
    const whole = parzen({ ...real, low: 1, high: 9, integer: true }, [3, 3, 7]);
    const mass = [1, 2, 3, 4, 5, 6, 7, 8, 9].reduce((total, value) => total + whole.of(value), 0);
    assert.ok(Math.abs(mass - 1) < 1e-6, `${mass}`);
    const choice = parzen({ kind: 'choice', path: 'x', choices: ['a', 'b'] }, ['a', 'a']);
    assert.deepEqual([choice.of('a'), choice.of('b')], [0.75, 0.25]);
  });

  it('are even where nothing is known', () => {
    assert.equal(parzen(real, []).of(0.3), 1);
  });

  it('draw what they say', () => {
    const density = parzen(real, [0.2, 0.21, 0.7]);
    const uniform = randomFor(8);
    const normal = normalFrom(uniform);
    const n = 20_000;
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < n; i++) {
      counts[Math.min(9, Math.floor((density.draw(uniform, normal) as number) * 10))]! += 1 / n;
    }
    for (const [bin, share] of counts.entries()) {
      let mass = 0;
      for (let i = 0; i < 100; i++) mass += density.of((bin + (i + 0.5) / 100) / 10) / 1000;
      assert.ok(Math.abs(mass - share) < 0.012, `bin ${bin}: ${share} drawn, ${mass} said`);
    }
  });

  it('use the normal distribution', () => {
    // R 4: pnorm(c(-3, -1, 0, 0.5, 1.96)).
    const expected = [
      [-3, 0.00134989803],
      [-1, 0.1586552539],
      [0, 0.5],
      [0.5, 0.6914624613],
      [1.96, 0.9750021049],
    ] as const;
    for (const [z, p] of expected) {
      assert.ok(Math.abs(normalCdf(z) - p) < 1e-7, `${z}`);
      assert.ok(Math.abs(normalQuantile(p) - z) < 1e-5, `${p}`);
    }
  });
});
