import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  blockLength,
  bootstrapInterval,
  drawBlocks,
  groupByTime,
  meanByTime,
} from '../../../core/metrics/bootstrap.ts';
import { scoreConfusion } from '../../../core/metrics/classes/confusion.ts';
import { compareLosses, cosineTerms } from '../../../core/metrics/comparison.ts';
import { directionOf } from '../../../core/metrics/direction.ts';
import { metricOrThrow, metrics } from '../../../core/metrics/index.ts';
import { powerOf } from '../../../core/metrics/power.ts';
import { computeMetric } from '../../../core/metrics/score.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { skillScore } from '../../../core/metrics/skill.ts';
import { levelOfTry } from '../../../core/metrics/tries.ts';

const rowsOf = (actual: number[], predicted: number[]) => {
  const [y, f] = [Float64Array.from(actual), Float64Array.from(predicted)];
  const openTime = y.map((_, i) => Date.UTC(2020, 0, 1 + i));
  return { openTime, actual: y, predicted: f, actualChange: y, predictedChange: f };
};

test('a NaN forecast makes every metric NaN, and so does an empty part', () => {
  for (const metric of metrics) {
    const value = computeMetric(metric, rowsOf([0.02, -0.03, 0.01], [0.01, NaN, 0.01]));
    assert.ok(Number.isNaN(value), metric.name);
    assert.ok(Number.isNaN(computeMetric(metric, rowsOf([], []))), metric.name);
  }
});

test('edge cases of single metrics', () => {
  const of = (name: string, y: number[], f: number[]) =>
    computeMetric(metricOrThrow(name), rowsOf(y, f));
  assert.ok(Number.isNaN(of('r2', [0.1, 0.1], [0, 0])), 'no variance, no R2');
  assert.equal(of('r2', [1, 2, 3], [1, 2, 3]), 1);
  assert.ok(Number.isNaN(of('directionAccuracy2', [0.004, -0.001], [1, 1])), 'nothing moved');
  assert.equal(of('directionAccuracy2', [0.02, -0.02, 0.001], [0, 0, 0]), 0.5, 'no move is not up');
  assert.equal(of('directionAccuracy3', [0.02, -0.02, 0.001], [0, 0, 0]), 1 / 3);
  assert.deepEqual([0.005, -0.005, 0.00501, -0.00501].map(directionOf), [0, 0, 1, -1]);
  assert.throws(() => metricOrThrow('rmsee'), /no metric "rmsee"; there are mse/);
});

test('skill is 0 for the reference itself, negative for worse, undefined against perfection', () => {
  assert.equal(skillScore(2, 2), 0);
  assert.equal(skillScore(3, 2), -0.5);
  assert.ok(Number.isNaN(skillScore(0, 0)));
});

test('the seed document of 0.9062 accuracy does not beat its baseline', () => {
  const scores = scoreConfusion({
    classes: ['hold', 'buy'],
    counts: [
      [58, 1],
      [5, 0],
    ],
  });
  assert.equal(scores.accuracy.toFixed(4), '0.9063');
  assert.equal(scores.weightedPrecision.toFixed(4), '0.8487');
  assert.equal(scores.weightedRecall.toFixed(4), '0.9063');
  assert.equal(scores.weightedF1.toFixed(4), '0.8765');
  assert.equal(scores.balancedAccuracy.toFixed(2), '0.49');
  assert.equal(scores.mcc.toFixed(2), '-0.04');
  assert.equal(scores.majority.accuracy.toFixed(3), '0.922');
  assert.equal(scores.beatsBaseline, false);
  assert.match(scores.verdict, /^Does not beat its baseline: accuracy 0\.906 against 0\.922/);
});

test('a confusion matrix that is none is refused', () => {
  for (const counts of [
    [[1, 2]],
    [
      [0, 0],
      [0, 0],
    ],
    [
      [1, -1],
      [0, 1],
    ],
    [
      [1, 0.5],
      [0, 1],
    ],
  ]) {
    assert.throws(() => scoreConfusion({ classes: ['a', 'b'], counts }), {
      code: 'metrics.confusion',
    });
  }
});

const noise = (n: number, seed: number): Float64Array => {
  const uniform = seededUniform(seed);
  return Float64Array.from({ length: n }, () => 1 + uniform());
};

test('fewer than 20 independent horizons: insufficient evidence, however large the gain', () => {
  const other = noise(139, 1);
  const challenger = [other.map((x) => x - 0.5)];
  const short = compareLosses({ other, challenger, horizon: 7 });
  assert.equal(short.status, 'insufficientEvidence');
  assert.equal(short.test, null);
  const enough = noise(140, 1);
  const better = enough.map((x, i) => x - 0.5 + 0.01 * Math.sin(i));
  assert.equal(compareLosses({ other: enough, challenger: [better], horizon: 7 }).status, 'tested');
});

test('the same model twice, and any constant difference, has p = 1', () => {
  const other = noise(300, 2);
  const same = compareLosses({ other, challenger: [other, other, other], horizon: 3 });
  assert.equal(same.test?.p, 1);
  assert.equal(same.dieboldMariano, null);
  const shifted = compareLosses({ other, challenger: [other.map((x) => x - 0.1)], horizon: 3 });
  assert.equal(shifted.test?.p, 1);
});

test('a loss that is not finite is never tested', () => {
  for (const bad of [NaN, Infinity]) {
    const other = noise(200, 3);
    const challenger = noise(200, 4);
    challenger[17] = bad;
    const result = compareLosses({ other, challenger: [challenger], horizon: 2 });
    assert.equal(result.status, 'notFinite');
    assert.equal(result.test, null);
  }
});

test('property: a uniformly better challenger never has a larger p', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const other = noise(150, seed);
    const challenger = [noise(150, 1000 + seed), noise(150, 2000 + seed)];
    const p = (gain: number) =>
      compareLosses({
        other,
        challenger: challenger.map((c) => c.map((x) => x - gain)),
        horizon: 1 + (seed % 7),
      }).test!.p;
    assert.ok(p(0.02) <= p(0) && p(0.2) <= p(0.02), `seed ${seed}`);
  }
});

test('seeds that disagree make the test more careful', () => {
  const other = noise(400, 5);
  const better = other.map((x, i) => x - 0.05 + 0.2 * Math.sin(i * 1.7));
  const apart = [better.map((x) => x - 0.2), better, better.map((x) => x + 0.2)];
  const agree = compareLosses({ other, challenger: [better, better, better], horizon: 1 });
  const disagree = compareLosses({ other, challenger: apart, horizon: 1 });
  assert.ok(Math.abs(agree.meanDifference - disagree.meanDifference) < 1e-12);
  assert.ok(disagree.test!.p > 10 * agree.test!.p);
  assert.ok(disagree.test!.degreesOfFreedom < agree.test!.degreesOfFreedom);
});

test('number of cosine terms', () => {
  assert.deepEqual(
    [
      [720, 1],
      [720, 7],
      [720, 30],
      [4000, 12],
      [90, 4],
    ].map(([n, h]) => cosineTerms(n!, h!)),
    [32, 32, 12, 100, 8],
  );
});

test('blocks: longer than the overlap, at least a day, cut to the data', () => {
  assert.equal(blockLength(720, 7, 1), 14);
  assert.equal(blockLength(720, 1, 1), 9);
  assert.equal(blockLength(4320, 1, 24), 24);
  assert.equal(blockLength(20, 30, 1), 20);
  assert.equal(drawBlocks({ n: 100, block: 11, seed: 1 }).tooFewBlocks, true);
  assert.equal(drawBlocks({ n: 100, block: 10, seed: 1 }).tooFewBlocks, false);
  assert.throws(() => drawBlocks({ n: 0, block: 1, seed: 1 }), { code: 'metrics.blocks' });
});

test('the interval of a mean covers it, repeats with its seed, and is wider for dependent rows', () => {
  const uniform = seededUniform(6);
  const values = new Float64Array(600);
  for (let i = 1; i < 600; i++) values[i] = 0.9 * values[i - 1]! + uniform() - 0.5;
  const groups = groupByTime(Float64Array.from(values.keys()));
  const interval = (block: number) =>
    bootstrapInterval([values], ([m = NaN]) => m, groups, drawBlocks({ n: 600, block, seed: 9 }));
  const [independent, blocks] = [interval(1), interval(40)];
  assert.deepEqual(interval(40), blocks);
  assert.ok(blocks.low! < blocks.value! && blocks.value! < blocks.high!);
  assert.ok(blocks.high! - blocks.low! > 2 * (independent.high! - independent.low!));
});

test('rows of one time stamp stay together', () => {
  const times = Float64Array.from([3, 1, 3, 2]);
  const groups = groupByTime(times);
  assert.deepEqual([...groups.group], [2, 0, 2, 1]);
  assert.deepEqual([...meanByTime(Float64Array.from([1, 5, 3, 7]), groups)], [5, 7, 2]);
});

test('an undefined value has no interval, an undefined resample leaves it open', () => {
  const groups = groupByTime(Float64Array.from([1, 2, 3, 4]));
  const draws = drawBlocks({ n: 4, block: 1, seed: 1, resamples: 200 });
  const rare = Float64Array.from([1, 0, 0, 0]);
  const value = ([m = NaN]: readonly number[]) => (m > 0 ? 1 / m : NaN);
  const open = bootstrapInterval([rare], value, groups, draws);
  assert.deepEqual(open, { value: 4, low: null, high: null, tooFewBlocks: true });
  const none = bootstrapInterval([rare.map(() => 0)], value, groups, draws);
  assert.equal(none.value, null);
});

test('power: measured cells, between them, and nothing below 20 independent horizons', () => {
  assert.equal(powerOf(720, 7)?.reduction5, 0.32);
  const between = powerOf(755, 10)!;
  assert.ok(between.reduction5 > 0.18 && between.reduction5 < 0.32);
  assert.equal(powerOf(599, 30), null);
  assert.equal(powerOf(600, 30)?.reduction5, 0.18);
  assert.deepEqual(powerOf(5000, 1), { reduction2: 0.95, reduction5: 0.99, atLeast: true });
});

test('levels of all tries add up to alpha', () => {
  let sum = 0;
  for (let k = 1; k <= 100_000; k++) sum += levelOfTry(0.05, k);
  assert.ok(sum < 0.05 && sum > 0.0499);
  assert.deepEqual(
    [0, -1, 1.5, NaN].map((k) => levelOfTry(0.05, k)),
    [0, 0, 0, 0],
  );
});

test('uniform numbers are uniform and repeat', () => {
  const uniform = seededUniform(7);
  const drawn = Array.from({ length: 20_000 }, uniform);
  const mean = drawn.reduce((a, b) => a + b, 0) / drawn.length;
  assert.ok(Math.abs(mean - 0.5) < 0.01);
  assert.ok(drawn.every((x) => x >= 0 && x < 1));
  const again = seededUniform(7);
  assert.deepEqual(drawn.slice(0, 50), Array.from({ length: 50 }, again));
  assert.notEqual(seededUniform(8)(), drawn[0]);
});
