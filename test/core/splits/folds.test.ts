import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  minimumSamples,
  PARTS,
  refitRows,
  splitFolds,
  type SplitInput,
  splitKinds,
  splitRows,
  splitSchema,
  type SplitSpec,
  TooFewRowsError,
} from '../../../core/splits/index.ts';
import { overlaps, splitSamples } from '../../support/split-samples.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const split = (settings: Record<string, unknown>): SplitSpec => splitSchema.parse(settings);

/** A small setting of each kind; a kind without one fails the first test. */
const EXAMPLES: Readonly<Record<string, Record<string, unknown>>> = {
  chronological: {},
  recent: { trainBars: 300, validBars: 90, testBars: 90 },
  walkForward: { folds: 3, mode: 'rolling', trainBars: 200, validBars: 90, testBars: 80 },
  purgedKFold: { folds: 4 },
};

const example = (kind: string, more: Record<string, unknown> = {}): SplitSpec =>
  split({ kind, ...EXAMPLES[kind], ...more });

/** Complete daily bars of one instrument: position = row. */
const daily = (samples: number, horizons: readonly number[], reachBars = 1): SplitInput =>
  splitSamples({
    seed: 1,
    timeframe: '1d',
    bars: samples + Math.max(...horizons),
    instruments: 1,
    missing: 0,
    horizons,
    reachBars,
  });

const firstLast = (rows: Int32Array): readonly [number, number] => [rows[0]!, rows.at(-1)!];

test('every kind of the catalogue has an example here, parses its own settings and documents them', () => {
  for (const kind of splitKinds) {
    assert.ok(EXAMPLES[kind.name], `EXAMPLES has no ${kind.name}`);
    assert.equal(example(kind.name).kind, kind.name);
    assert.ok(kind.docs.length > 60);
  }
});

test('label windows of different parts of a fold are disjoint, for seeded markets and settings', () => {
  const uniform = seededUniform(7);
  const between = (a: number, b: number): number => a + Math.floor(uniform() * (b - a + 1));
  for (let round = 0; round < 24; round++) {
    const longest = between(1, 24);
    const horizons = longest > 3 ? [between(1, 3), longest] : [longest];
    for (const { name } of splitKinds) {
      const purge = uniform() < 0.5 ? 'auto' : longest + between(0, 5);
      const embargo = [
        'auto',
        between(0, 12),
        ...(name === 'purgedKFold' ? ['strict', 0] : []),
      ].toSorted(() => uniform() - 0.5)[0];
      const spec = example(name, {
        purge,
        embargo,
        ...(name === 'walkForward' && uniform() < 0.5 ? { mode: 'expanding' } : {}),
        ...(name === 'purgedKFold' ? { folds: between(2, 6) } : {}),
      });
      const shape = { horizons, reachBars: between(1, 40) };
      const holes = uniform() < 0.5;
      const input = splitSamples({
        seed: round,
        timeframe: uniform() < 0.5 ? '1d' : '1h',
        bars: Math.ceil(minimumSamples(spec, shape) * (holes ? 1.9 : 1)) + between(60, 200),
        instruments: between(1, 3),
        missing: holes ? 0.4 / longest / 2 : 0,
        ...shape,
      });
      const folds = splitFolds(spec, input);
      for (const fold of folds) {
        assert.deepEqual(overlaps(fold, input), [], JSON.stringify(spec));
        // Nothing is trained on that lies after what chooses the epoch.
        const [firstValid] = firstLast(fold.valid);
        assert.ok(input.labelEnd[fold.train.at(-1)!]! < input.openTime[firstValid]!);
      }
      const tested = folds.flatMap((fold) => [...fold.test]);
      assert.equal(new Set(tested).size, tested.length, 'no row is forecast twice');
      const times = tested.map((row) => input.openTime[row]!);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
    }
  }
});

test('the property notices a purge that is one bar short, in every kind', () => {
  for (const { name } of splitKinds) {
    const input = daily(1200, [20]);
    const spec = example(name);
    // What a purge of h - 1 would keep: labels that claim to end one bar early.
    const early = input.labelEnd.map((_, row) => input.labelEnd[row - 1] ?? input.openTime[19]!);
    const leaking = splitFolds(spec, { ...input, labelEnd: early, horizons: [19] });
    for (const fold of leaking) assert.ok(overlaps(fold, input).length > 0, name);
    for (const fold of splitFolds(spec, input)) assert.deepEqual(overlaps(fold, input), []);
    assert.throws(() => splitFolds(example(name, { purge: 19 }), input), {
      code: 'splits.purgeTooShort',
    });
  }
});

test('rows after a test part are purged by its labels whatever the embargo is', () => {
  const input = daily(1200, [20]);
  const spec = example('purgedKFold', { embargo: 0 });
  const after = ({ labelEnd }: SplitInput): number => {
    const [fold] = splitFolds(spec, { ...input, labelEnd });
    return fold!.train.find((row) => row > fold!.test.at(-1)!)!;
  };
  const [fold] = splitFolds(spec, input);
  const last = fold!.test.at(-1)!;
  assert.equal(after(input), last + 21, 'the first that is decided after the last label ended');
  // One label that ends late, such as over a hole, keeps as much away.
  const late = Float64Array.from(input.labelEnd);
  late[last - 50] = input.openTime[last + 60]!;
  assert.equal(after({ ...input, labelEnd: late }), last + 61);
});

test('embargo: auto is the longest horizon or 1 %, strict is horizon and reach, a number is itself', () => {
  const gap = (embargo: unknown, samples: number, horizon: number, reachBars = 100): number => {
    const input = daily(samples, [horizon], reachBars);
    const [fold] = splitFolds(example('purgedKFold', { embargo }), input);
    const next = fold!.train.find((row) => row > fold!.test.at(-1)!)!;
    return next - fold!.test.at(-1)! - 1;
  };
  assert.equal(gap('auto', 1200, 20), 20);
  assert.equal(gap('auto', 3000, 5), 30);
  assert.equal(gap('strict', 3000, 5), 105);
  assert.equal(gap(47, 3000, 5), 47);
});

test('walkForward, expanding: test parts follow one another to the newest sample', () => {
  const spec = split({ kind: 'walkForward', folds: 3, validBars: 60, testBars: 100 });
  const folds = splitFolds(spec, daily(1000, [7]));
  assert.deepEqual(
    folds.map((fold) => PARTS.map((part) => firstLast(fold[part]))),
    [
      [
        [0, 625],
        [633, 692],
        [700, 799],
      ],
      [
        [0, 725],
        [733, 792],
        [800, 899],
      ],
      [
        [0, 825],
        [833, 892],
        [900, 999],
      ],
    ],
  );
  assert.deepEqual(splitRows(spec, daily(1000, [7])), folds[2]);
});

test('walkForward, rolling: each fold is the recent split of its day', () => {
  const settings = { trainBars: 300, validBars: 60, testBars: 100, embargo: 4 };
  const folds = splitFolds(
    split({ kind: 'walkForward', mode: 'rolling', folds: 3, ...settings }),
    daily(1000, [7]),
  );
  for (const [k, { train, valid, test: tested }] of folds.entries()) {
    const alone = splitRows(split({ kind: 'recent', ...settings }), daily(800 + 100 * k, [7]));
    assert.deepEqual({ train, valid, test: tested }, pick(alone));
  }
});

const pick = ({ train, valid, test: tested }: ReturnType<typeof splitRows>) => ({
  train,
  valid,
  test: tested,
});

test('a rolling walk-forward without a length is refused, by name', () => {
  const told = splitSchema.safeParse({
    ...{ kind: 'walkForward', mode: 'rolling', validBars: 60, testBars: 60 },
  });
  assert.deepEqual(told.error?.issues[0]?.path, ['trainBars']);
});

test('purgedKFold: every sample is tested once; the newest fold has learnt nothing of later bars', () => {
  const input = daily(1003, [7, 30]);
  const folds = splitFolds(split({ kind: 'purgedKFold' }), input);
  assert.deepEqual(
    folds.flatMap((fold) => [...fold.test]),
    [...input.rows],
  );
  const newest = folds.at(-1)!;
  assert.ok(newest.valid.at(-1)! < newest.test[0]!);
  // A middle fold learns from both sides and chooses by the newest.
  const middle = folds[2]!;
  assert.ok(middle.train[0]! < middle.test[0]! && middle.train.at(-1)! > middle.test.at(-1)!);
  assert.ok(middle.valid[0]! > middle.train.at(-1)!);
});

test('one sample fewer than the computed minimum is refused, the minimum itself is not', () => {
  const settings: Record<string, unknown>[] = [
    { kind: 'walkForward', folds: 4, validBars: 60, testBars: 60 },
    { kind: 'walkForward', mode: 'rolling', folds: 2, trainBars: 250, validBars: 60, testBars: 60 },
    { kind: 'walkForward', folds: 2, trainBars: 400, validBars: 60, testBars: 60, embargo: 3 },
    { kind: 'purgedKFold' },
    { kind: 'purgedKFold', folds: 2, embargo: 'strict' },
    { kind: 'purgedKFold', folds: 12, validShare: 0.3, purge: 40, embargo: 0 },
  ];
  for (const horizons of [[1], [7, 14, 30]]) {
    for (const spec of settings.map(split)) {
      const shape = { horizons, reachBars: 120 };
      const minimum = minimumSamples(spec, shape);
      for (const fold of splitFolds(spec, daily(minimum, horizons, 120))) {
        for (const part of PARTS) {
          assert.ok(fold.times[part] >= Math.max(30, 2 * horizons.at(-1)!));
        }
      }
      assert.throws(
        () => splitFolds(spec, daily(minimum - 1, horizons, 120)),
        (error) => error instanceof TooFewRowsError && error.details['minimumSamples'] === minimum,
        JSON.stringify(spec),
      );
    }
  }
});

test('a refit takes what the newest fold was not allowed to see, or all before its test part', () => {
  const input = daily(1000, [7]);
  const ends = (spec: SplitSpec, part: 'all' | 'trainValid'): readonly number[] => {
    const rows = refitRows(spec, input, part);
    return [...firstLast(rows), rows.length];
  };
  const expanding = split({ kind: 'walkForward', folds: 3, validBars: 60, testBars: 100 });
  assert.deepEqual(ends(expanding, 'all'), [0, 999, 1000]);
  assert.deepEqual(ends(expanding, 'trainValid'), [0, 892, 893]);
  const rolling = split({ ...expanding, mode: 'rolling', trainBars: 300 });
  assert.deepEqual(ends(rolling, 'all'), [700, 999, 300]);
  assert.deepEqual(ends(rolling, 'trainValid'), [593, 892, 300]);
  assert.deepEqual(ends(split({ kind: 'purgedKFold' }), 'all'), [0, 999, 1000]);
  assert.deepEqual(ends(split({ kind: 'purgedKFold' }), 'trainValid'), [0, 792, 793]);
});
