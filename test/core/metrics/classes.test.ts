import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { drawBlocks, groupByTime, type BlockDraws } from '../../../core/metrics/bootstrap.ts';
import { mostProbable, mostProbableAtPriors } from '../../../core/metrics/classes/class-rows.ts';
import { confusionCounts, scoreConfusion } from '../../../core/metrics/classes/confusion.ts';
import {
  classMetricDirection,
  classMetrics,
  MAIN_CLASS_METRIC,
  type ClassRows,
} from '../../../core/metrics/classes/index.ts';
import { calibrationCurve } from '../../../core/metrics/classes/probability-metrics.ts';
import { pearson, spearman } from '../../../core/metrics/correlation.ts';
import { metricOrThrow } from '../../../core/metrics/index.ts';
import { computeMetric, scoreMetrics } from '../../../core/metrics/score.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';

type Wanted = Readonly<Record<string, number | null>>;
interface Returns {
  readonly openTime: number[];
  readonly forecast: number[];
  readonly outcome: number[];
  readonly want: Readonly<Record<string, number>>;
}
interface Golden {
  readonly classification: readonly {
    readonly classes: string[];
    readonly actual: number[];
    readonly probabilities: number[];
    readonly priors: number[];
    readonly confusion: number[][];
    readonly want: Wanted;
  }[];
  readonly oneInstrument: Returns;
  readonly panel: Returns;
  readonly resampled: {
    readonly n: number;
    readonly block: number;
    readonly resamples: number;
    readonly starts: number[];
    readonly actual: number[];
    readonly probabilities: number[];
    readonly change: number[];
    readonly expectedChange: number[];
    readonly intervals: Readonly<Record<string, [number, number, number]>>;
  };
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/classes.json', import.meta.url), 'utf8'),
) as Golden;

const DAY_MS = 86_400_000;
const THREE = ['sell', 'hold', 'buy'];

function assertClose(got: number, want: number, what: string): void {
  assert.ok(Math.abs(got - want) <= 1e-9, `${what}: ${got} is not ${want}`);
}

interface Given {
  readonly actual: readonly number[];
  readonly probabilities: readonly number[];
  readonly classes?: readonly string[];
  readonly priors?: readonly number[];
  readonly change?: readonly number[];
  readonly expectedChange?: readonly number[];
}

function rowsOf({ actual, probabilities, classes = THREE, ...rest }: Given): ClassRows {
  const zeros = actual.map(() => 0);
  return {
    openTime: Float64Array.from(actual, (_, i) => i * DAY_MS),
    classes,
    actual: Float64Array.from(actual),
    probabilities: Float64Array.from(probabilities),
    priors: Float64Array.from(
      actual.flatMap(() => rest.priors ?? classes.map(() => 1 / classes.length)),
    ),
    change: Float64Array.from(rest.change ?? zeros),
    expectedChange: Float64Array.from(rest.expectedChange ?? zeros),
  };
}

const scoresOf = (rows: ClassRows): Record<string, number> =>
  Object.fromEntries(classMetrics(rows.classes).map((m) => [m.name, computeMetric(m, rows)]));

test('every class metric agrees with scikit-learn', () => {
  for (const [i, given] of golden.classification.entries()) {
    const rows = rowsOf(given);
    const got = scoresOf(rows);
    for (const [name, want] of Object.entries(given.want)) {
      if (want === null) assert.ok(Number.isNaN(got[name]), `${i} ${name}: ${got[name]}`);
      else assertClose(got[name]!, want, `${i} ${name}`);
    }
    assert.deepEqual(confusionCounts(rows), given.confusion);
    const compared = Object.keys(given.want).length;
    assert.equal(compared + 4, Object.keys(got).length, 'all but the four coefficients of returns');
  }
});

test('the scores of a confusion matrix are those of its rows', () => {
  const { classes, confusion, want } = golden.classification[0]!;
  const scores = scoreConfusion({ classes, counts: confusion });
  assertClose(scores.accuracy, want['accuracy']!, 'accuracy');
  assertClose(scores.balancedAccuracy, want['balancedAccuracy']!, 'balanced accuracy');
  assertClose(scores.mcc, want['mcc']!, 'mcc');
  for (const { name, precision, recall, f1 } of scores.perClass) {
    assertClose(precision, want[`precision_${name}`]!, name);
    assertClose(recall, want[`recall_${name}`]!, name);
    assertClose(f1, want[`f1_${name}`]!, name);
  }
});

test('information coefficients agree with scipy and pandas: one instrument, and a panel as qlib has it', () => {
  for (const given of [golden.oneInstrument, golden.panel]) {
    const [predicted, actual] = [given.forecast, given.outcome].map((c) => Float64Array.from(c));
    const openTime = Float64Array.from(given.openTime);
    const forecast = {
      openTime,
      actual: actual!,
      predicted: predicted!,
      actualChange: actual!,
      predictedChange: predicted!,
    };
    const rows = {
      ...rowsOf({ actual: given.outcome.map(() => 0), probabilities: [] }),
      openTime,
      change: actual!,
      expectedChange: predicted!,
    };
    for (const [name, want] of Object.entries(given.want)) {
      assertClose(computeMetric(metricOrThrow(name), forecast), want, name);
      const ofClasses = classMetrics(THREE).find((m) => m.name === name)!;
      assertClose(computeMetric(ofClasses, rows), want, `classes ${name}`);
    }
  }
});

test('intervals by ranks are exact: those of the rows that the blocks name', () => {
  const { n, block, resamples, starts, intervals, ...given } = golden.resampled;
  const rows = rowsOf(given);
  const draws: BlockDraws = {
    n,
    block,
    resamples,
    starts: Int32Array.from(starts),
    tooFewBlocks: false,
  };
  const scored = scoreMetrics(classMetrics(THREE), rows, groupByTime(rows.openTime), draws);
  for (const [name, [value, low, high]] of Object.entries(intervals)) {
    const got = scored[name]!;
    assertClose(got.value!, value, name);
    assertClose(got.low!, low, `${name} low`);
    assertClose(got.high!, high, `${name} high`);
  }
});

test('empty rows and a NaN anywhere: no class metric has a value', () => {
  const fine = rowsOf({ actual: [0, 1, 2, 1], probabilities: Array(12).fill(1 / 3) });
  const broken = [
    rowsOf({ actual: [], probabilities: [] }),
    {
      ...fine,
      actual: Float64Array.of(0, NaN, 2, 1),
      expectedChange: Float64Array.of(NaN, 1, 2, 3),
    },
    ...[0, 5, 11].map((at) => ({
      ...fine,
      probabilities: fine.probabilities.map((p, i) => (i === at ? NaN : p)),
      expectedChange: Float64Array.of(1, 2, NaN, 3),
    })),
  ];
  for (const rows of broken) {
    for (const [name, value] of Object.entries(scoresOf(rows))) {
      assert.ok(Number.isNaN(value), `${name}: ${value}`);
    }
  }
});

test('a constant forecast scores what chance scores, whatever it says', () => {
  const actual = [0, 1, 1, 1, 2, 1, 0, 2, 1, 1];
  const probabilities = actual.flatMap(() => [0.25, 0.5, 0.25]);
  const got = scoresOf(rowsOf({ actual, probabilities, priors: [0.25, 0.5, 0.25] }));
  assert.equal(got['accuracy'], 0.6);
  assertClose(got['balancedAccuracy']!, 1 / 3, 'balanced');
  assertClose(got['balancedAccuracyAtPriors']!, 1 / 3, 'balanced at priors');
  assert.equal(got['mcc'], 0);
  assert.equal(got['auc'], 0.5);
  assert.equal(got['aucDirection'], 0.5);
  assert.equal(got['precision_buy'], 0, 'never answered');
  assert.equal(got['recall_buy'], 0);
  assertClose(got['ece']!, 0.1, 'says .5, and hold came in .6');
  for (const name of ['ic', 'rankIc', 'icir', 'rankIcir']) assert.ok(Number.isNaN(got[name]), name);
});

test('a class that never came has no recall and no F1, and means leave it out', () => {
  const probabilities = [0.6, 0.3, 0.1, 0.2, 0.7, 0.1, 0.1, 0.2, 0.7];
  const got = scoresOf(rowsOf({ actual: [0, 1, 1], probabilities }));
  assert.ok(Number.isNaN(got['recall_buy']) && Number.isNaN(got['f1_buy']));
  assert.equal(got['precision_buy'], 0);
  assert.equal(got['balancedAccuracy'], 0.75);
  assert.ok(Number.isNaN(got['aucDirection']), 'nothing rose');
  assert.ok(got['auc']! > 0.5);
});

test('one class only came: no area, no correlation, and an accuracy that says nothing', () => {
  const got = scoresOf(rowsOf({ actual: [1, 1], probabilities: [0.2, 0.6, 0.2, 0.3, 0.4, 0.3] }));
  assert.ok(Number.isNaN(got['auc']));
  assert.equal(got['mcc'], 0);
  assert.equal(got['accuracy'], 1);
});

test('a perfect forecast', () => {
  const actual = Array.from({ length: 90 }, (_, i) => i % 3);
  const probabilities = actual.flatMap((c) => [0, 1, 2].map((k) => (k === c ? 1 : 0)));
  const change = actual.map((c, i) => (c - 1) * 0.02 + i * 1e-6);
  const got = scoresOf(rowsOf({ actual, probabilities, change, expectedChange: change }));
  for (const name of ['accuracy', 'mcc', 'auc', 'aucDirection', 'f1_sell', 'ic', 'rankIc']) {
    assertClose(got[name]!, 1, name);
  }
  assert.equal(got['brier'], 0);
  assertClose(got['logLoss']!, -Math.log(0.999), 'clipped');
  assert.ok(Number.isNaN(got['icir']), 'ICs that are all 1 have no spread to divide by');
});

test('answers: equal probabilities give the first class, an unseen class is never answered', () => {
  const rows = rowsOf({
    actual: [0, 0],
    probabilities: [0.4, 0.4, 0.2, 0.2, 0.2, 0.6],
    priors: [0.5, 0.5, 0],
  });
  assert.deepEqual([...mostProbable(rows)], [0, 2]);
  assert.deepEqual([...mostProbableAtPriors(rows)], [0, 0]);
});

test('unknown returns are left out of the coefficients and of nothing else', () => {
  const given = { actual: [0, 1, 2, 1], probabilities: Array(12).fill(1 / 3) as number[] };
  const expectedChange = [1, 2, 3, 9];
  const got = scoresOf(rowsOf({ ...given, change: [1, 2, 3, NaN], expectedChange }));
  assertClose(got['ic']!, 1, 'ic');
  assert.equal(got['accuracy'], 0.25);
});

test('a reliability curve names stated and observed shares of the bins that have rows', () => {
  const rows = rowsOf({
    actual: [1, 0, 1, 1],
    classes: ['hold', 'buy'],
    probabilities: [0.9, 0.1, 0.9, 0.1, 0.25, 0.75, 0, 1],
  });
  assert.deepEqual(calibrationCurve(rows, 1), [
    { stated: 0.1, observed: 0.5, rows: 2 },
    { stated: 0.75, observed: 1, rows: 1 },
    { stated: 1, observed: 1, rows: 1 },
  ]);
});

test('correlations: ties, constants and rounding', () => {
  const x = Float64Array.of(1, 2, 2, 3);
  assertClose(spearman(x, Float64Array.of(1, 3, 3, 9)), 1, 'midranks');
  assert.ok(Number.isNaN(pearson(x, Float64Array.of(5, 5, 5, 5))));
  const rounded = Float64Array.of(1, 1 + 1e-12, 1, 1 - 1e-12);
  assert.ok(Number.isNaN(pearson(x, rounded)) && Number.isNaN(spearman(x, rounded)));
  assert.ok(Number.isNaN(spearman(x, Float64Array.of(1, NaN, 2, 3))));
});

test('rows of one time stamp are drawn together: a copied instrument adds no certainty', () => {
  const uniform = seededUniform(3);
  const n = 240;
  const actual = Array.from({ length: n }, () => Math.floor(3 * uniform()));
  const probabilities = actual.flatMap((c) => {
    const raw = [0, 1, 2].map((k) => uniform() + (k === c ? 0.5 : 0));
    const total = raw.reduce((a, b) => a + b, 0);
    return raw.map((p) => p / total);
  });
  const change = actual.map((c) => (c - 1) * 0.02 * uniform());
  const expectedChange = actual.map((_, i) => probabilities[3 * i + 2]! - probabilities[3 * i]!);
  const one = rowsOf({ actual, probabilities, change, expectedChange });
  const twice = <T extends Float64Array>(column: T) => Float64Array.of(...column, ...column);
  const two = {
    ...one,
    openTime: twice(one.openTime),
    actual: twice(one.actual),
    probabilities: twice(one.probabilities),
    priors: twice(one.priors),
    change: twice(one.change),
    expectedChange: twice(one.expectedChange),
  };
  const draws = drawBlocks({ n, block: 8, seed: 5, resamples: 300 });
  const scored = [one, two].map((rows) =>
    scoreMetrics(classMetrics(THREE), rows, groupByTime(rows.openTime), draws),
  );
  for (const [name, interval] of Object.entries(scored[0]!)) {
    for (const at of ['value', 'low', 'high'] as const) {
      const [a, b] = [interval[at], scored[1]![name]![at]];
      assert.ok(a !== null && b !== null && Math.abs(a - b) < 1e-9, `${name} ${at}: ${a}, ${b}`);
    }
  }
});

test('large panels use fewer draws for ranks only', () => {
  const uniform = seededUniform(4);
  const rows = 30_000;
  const actual = Array.from({ length: rows }, () => Math.floor(2 * uniform()));
  const probabilities = actual.flatMap((c) => {
    const p = Math.min(0.99, 0.4 * uniform() + (c === 1 ? 0.4 : 0.3));
    return [1 - p, p];
  });
  const many = rowsOf({ classes: ['hold', 'buy'], actual, probabilities });
  const openTime = many.openTime.map((_, i) => i % 500);
  const times = groupByTime(openTime);
  const draws = drawBlocks({ n: 500, block: 10, seed: 5 });
  const pick = classMetrics(many.classes).filter((m) => m.name === 'auc');
  const { auc } = scoreMetrics(pick, { ...many, openTime }, times, draws);
  assert.ok(auc!.low! < auc!.value! && auc!.value! < auc!.high! && auc!.low! > 0.5);
});

test('names, directions and the main metric', () => {
  for (const classes of [THREE, ['hold', 'buy']]) {
    const names = classMetrics(classes).map((m) => m.name);
    assert.equal(new Set(names).size, names.length);
    assert.ok(names.includes(MAIN_CLASS_METRIC));
    assert.equal(names.includes('aucDirection'), classes.length > 2);
    for (const metric of classMetrics(classes)) {
      assert.equal(classMetricDirection(metric.name), metric.direction, metric.name);
      assert.ok(metric.docs.endsWith('.') && metric.title.length > 1);
    }
  }
  assert.equal(classMetricDirection('rmse'), undefined);
});
