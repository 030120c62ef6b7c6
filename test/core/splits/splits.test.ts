import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  minimumSamples,
  PARTS,
  type SplitInput,
  type SplitRows,
  splitRows,
  type SplitSpec,
  TooFewRowsError,
} from '../../../core/splits/index.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const DAY = 86_400_000;

/** One row a bar; the label of a row ends `h` bars later. */
function daily(rows: number, horizons: readonly number[], firstRow = 0): SplitInput {
  const longest = Math.max(...horizons);
  const openTime = Float64Array.from({ length: rows + longest }, (_, i) => i * DAY);
  const labelEnd = openTime.map((_, row) => openTime[row + longest] ?? NaN);
  const list = Array.from({ length: rows - firstRow }, (_, i) => i + firstRow);
  return { rows: Int32Array.from(list), openTime, labelEnd, horizons, reachBars: 1 };
}

const chronological: SplitSpec = {
  kind: 'chronological',
  ratios: [0.7, 0.15, 0.15],
  purge: 'auto',
  embargo: 'auto',
};

/** Label windows (t, end] of two parts that overlap; empty when the split does not leak. */
function overlaps(split: SplitRows, input: SplitInput): string[] {
  const found: string[] = [];
  for (const [earlier, later] of [
    ['train', 'valid'],
    ['train', 'test'],
    ['valid', 'test'],
  ] as const) {
    for (const a of split[earlier]) {
      for (const b of split[later]) {
        const disjoint = input.labelEnd[a]! < input.openTime[b]!;
        if (!disjoint) found.push(`${earlier} ${a} / ${later} ${b}`);
      }
    }
  }
  return found;
}

test('70/15/15 of the samples, in order, with h rows purged at both borders', () => {
  const input = daily(1000, [7, 14, 30]);
  const split = splitRows(chronological, input);
  assert.deepEqual([split.train[0], split.train.at(-1)], [0, 669]);
  assert.deepEqual([split.valid[0], split.valid.at(-1)], [700, 819]);
  assert.deepEqual([split.test[0], split.test.at(-1)], [850, 999]);
  assert.equal(split.dropped, 60);
});

test('label windows of different parts are disjoint, for seeded sizes, horizons and settings', () => {
  const uniform = seededUniform(21);
  const between = (a: number, b: number): number => a + Math.floor(uniform() * (b - a + 1));
  for (let k = 0; k < 60; k++) {
    const horizon = between(1, 40);
    const spec: SplitSpec =
      k % 2 === 0
        ? {
            ...chronological,
            purge: k % 4 === 0 ? 'auto' : horizon + between(0, 5),
            embargo: between(0, 10),
          }
        : {
            kind: 'recent',
            trainBars: between(100, 300),
            validBars: between(80, 100),
            testBars: between(80, 100),
            purge: 'auto',
            embargo: k % 4 === 1 ? 'auto' : between(0, 10),
          };
    const minimum = minimumSamples(spec, { horizons: [horizon], reachBars: 1 });
    const input = daily(minimum + between(0, 200), [horizon], 0);
    const split = splitRows(spec, input);
    assert.deepEqual(overlaps(split, input), []);
    // Tight: one more row before the border would overlap when purge is auto and no embargo is set.
    if (spec.purge === 'auto' && spec.kind === 'chronological') {
      const next = split.train.at(-1)! + 1;
      const border = split.valid[0]! - (spec.embargo === 'auto' ? 0 : spec.embargo);
      assert.ok(input.labelEnd[next]! >= input.openTime[border]!);
    }
  }
});

test('the disjointness property notices a purge that is one bar short', () => {
  const input = daily(1000, [30]);
  // Labels that claim to end one bar early: what a purge of h - 1 would keep.
  const mutated = { ...input, labelEnd: input.labelEnd.map((end) => end - DAY) };
  const leaking = splitRows(chronological, { ...mutated, horizons: [29] });
  assert.ok(overlaps(leaking, input).length > 0);
  assert.throws(() => splitRows({ ...chronological, purge: 29 }, input), {
    code: 'splits.purgeTooShort',
  });
});

test('one sample fewer than the computed minimum is refused, the minimum itself is not', () => {
  for (const horizons of [[1], [7, 14, 30], [60]]) {
    for (const spec of [
      chronological,
      { ...chronological, embargo: 5 },
      { kind: 'recent', trainBars: 500, validBars: 120, testBars: 120, purge: 'auto', embargo: 3 },
    ] as const) {
      const minimum = minimumSamples(spec, { horizons, reachBars: 1 });
      const split = splitRows(spec, daily(minimum, horizons));
      for (const part of PARTS) {
        assert.ok(split.times[part] >= Math.max(30, 2 * horizons.at(-1)!));
      }
      assert.throws(
        () => splitRows(spec, daily(minimum - 1, horizons)),
        (error) => {
          assert.ok(error instanceof TooFewRowsError);
          assert.equal(error.code, 'splits.tooFewRows');
          assert.equal(error.details['minimumSamples'], minimum);
          assert.equal(error.details['missing'], 1);
          assert.match(error.message, new RegExp(`at least ${minimum} `));
          return true;
        },
      );
    }
  }
});

test('100 training days with a 30-bar horizon are refused, not split into nothing (A13)', () => {
  assert.throws(() => splitRows(chronological, daily(100, [7, 14, 30])), TooFewRowsError);
  assert.equal(minimumSamples(chronological, { horizons: [7, 14, 30], reachBars: 1 }), 597);
});

test('recent: each part has exactly the bars asked for, the newest ones test', () => {
  const spec: SplitSpec = {
    kind: 'recent',
    trainBars: 300,
    validBars: 80,
    testBars: 70,
    purge: 'auto',
    embargo: 'auto',
  };
  const split = splitRows(spec, daily(2000, [7]));
  assert.deepEqual(split.times, { train: 300, valid: 80, test: 70 });
  assert.equal(split.test.at(-1), 1999);
  assert.equal(split.valid.at(-1), 2000 - 70 - 7 - 1);
  assert.throws(() => splitRows({ ...spec, testBars: 20 }, daily(2000, [30])), {
    code: 'splits.partTooSmall',
  });
});

test('pooled instruments are cut at the same time; no part mixes', () => {
  const one = daily(800, [5]);
  const rows = one.openTime.length;
  const pool: SplitInput = {
    rows: Int32Array.from([...one.rows, ...one.rows.slice(300).map((row) => row + rows)]),
    openTime: Float64Array.from([...one.openTime, ...one.openTime]),
    labelEnd: Float64Array.from([...one.labelEnd, ...one.labelEnd]),
    horizons: [5],
    reachBars: 1,
  };
  const split = splitRows(chronological, pool);
  assert.deepEqual(overlaps(split, pool), []);
  assert.deepEqual(split.times, splitRows(chronological, one).times);
  assert.equal(split.test.length, 2 * split.times.test);
});

test('labels that end late because of a hole are purged by their end, not by their row', () => {
  const input = daily(1000, [5]);
  const labelEnd = Float64Array.from(input.labelEnd);
  labelEnd[600] = input.openTime[750]!;
  const split = splitRows(chronological, { ...input, labelEnd });
  assert.ok(!split.train.includes(600));
  assert.ok(split.train.includes(601));
});
