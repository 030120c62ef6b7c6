import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baselineVerdict } from '../../../core/evaluation/class-figures.ts';
import {
  evaluate,
  evaluationSchema,
  flatMetrics,
  parseEvaluation,
  rowsByInstrument,
  trainingByInstrument,
  type EvaluationInput,
} from '../../../core/evaluation/index.ts';
import { suspicionsOf } from '../../../core/evaluation/suspicion.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { seedOf } from './planted.ts';
import { binaryClasses, plantClasses, PRIORS } from './planted-classes.ts';

/** 58 true holds, 1 false buy, 5 missed buys, no correct buy of 64, `times` over in any order of time. */
function seedDocument(times: number): EvaluationInput {
  const one = [
    ...Array.from({ length: 58 }, () => [0, 0.2]),
    [0, 0.6],
    ...Array.from({ length: 5 }, () => [1, 0.1]),
  ];
  const rows = Array.from({ length: times }, () => one).flat();
  const shuffled = rows.map((_, i) => rows[(i * 37) % rows.length]!);
  return binaryClasses(
    shuffled.map(([actual]) => actual!),
    shuffled.map(([, buy]) => buy!),
  );
}

test('the seed document of 0.9062 accuracy: the report says that it does not beat its baseline', () => {
  const evaluation = evaluate(seedDocument(5));
  const [figures] = evaluation.classFigures!;
  assert.deepEqual(figures!.confusion, [
    [290, 5],
    [25, 0],
  ]);
  assert.equal(figures!.answers?.beatsBaseline, 'no');
  assert.match(
    baselineVerdict(figures!),
    /^Does not beat its baseline: accuracy 0\.906 against 0\.922 of always "hold" \(gain -\d\.\d to -?\+?\d\.\d points\), balanced accuracy 0\.492\.$/,
  );
  assert.match(
    evaluation.verdict,
    /; its answers at 1 bar do not beat always "hold" \(accuracy 0\.906 against 0\.922\)\.$/,
  );
  assert.equal(evaluation.verdict.match(/[.!?](\s|$)/g)?.length, 1, 'one sentence');
  assert.ok(
    evaluation.warnings.some((text) =>
      /^At 1 bar it does not beat its baseline: accuracy/.test(text),
    ),
  );
  assert.equal(flatMetrics(evaluation)['h1.accuracy']!.toFixed(4), '0.9063');
  assert.equal(flatMetrics(evaluation)['h1.majorityAccuracy']!.toFixed(3), '0.922');
});

test('answers that say the majority class always are told so', () => {
  const input = plantClasses(0);
  const constant = Float64Array.from({ length: 2700 }, (_, i) => PRIORS[i % 3]!);
  const evaluation = evaluate({ ...input, seeds: [seedOf(1, constant)] });
  const [figures] = evaluation.classFigures!;
  assert.deepEqual(figures!.answers?.never, ['sell', 'buy']);
  assert.equal(figures!.answers?.gain.value, 0);
  assert.match(baselineVerdict(figures!), /It never answers "sell" or "buy"\.$/);
});

/** A classifier of two classes that is right with a probability. */
function rightBy(share: number, rows = 800): EvaluationInput {
  const uniform = seededUniform(21);
  const actual = Array.from({ length: rows }, () => (uniform() < 0.5 ? 1 : 0));
  const buy = actual.map((c) => ((uniform() < share ? c : 1 - c) === 1 ? 0.55 : 0.45));
  return binaryClasses(actual, buy, 1);
}

test('three words for answers: beats, is not proved to beat, does not beat', () => {
  const of = (share: number) => evaluate(rightBy(share)).classFigures![0]!.answers!.beatsBaseline;
  assert.equal(of(0.75), 'beats');
  assert.equal(of(0.3), 'no');
  const close = evaluate(rightBy(0.53)).classFigures![0]!;
  assert.equal(close.answers!.beatsBaseline, 'notProved');
  assert.match(baselineVerdict(close), /^Is not proved to beat its baseline: /);
});

test('a probability that is no number leaves no answers, and no NaN in the file', () => {
  const input = plantClasses(0.5);
  const bad = input.seeds[0]!.predictions.slice().fill(NaN, 300, 303);
  const evaluation = evaluate({ ...input, seeds: [seedOf(1, bad)] });
  const [figures] = evaluation.classFigures!;
  assert.equal(figures!.confusion, null);
  assert.match(baselineVerdict(figures!), /not a number/);
  assert.doesNotThrow(() => evaluationSchema.parse(JSON.parse(JSON.stringify(evaluation))));
});

test('reliability curves cover every row once for each class', () => {
  const { classFigures } = evaluate(plantClasses(0.9));
  const { calibration } = classFigures![0]!;
  assert.deepEqual(
    calibration.map(({ name, bins }) => [name, bins.reduce((sum, bin) => sum + bin.rows, 0)]),
    [
      ['sell', 900],
      ['hold', 900],
      ['buy', 900],
    ],
  );
});

test('an evaluation of an earlier release still parses', () => {
  const { classFigures, slices, ...earlier } = evaluate(plantClasses(0.5));
  assert.ok(classFigures !== undefined && slices === undefined);
  const bytes = new TextEncoder().encode(JSON.stringify(earlier));
  assert.deepEqual(parseEvaluation(bytes), earlier);
});

/** Two instruments with other shares of buy, and a model that knows only which instrument it looks at. */
function pooled(): EvaluationInput {
  const uniform = seededUniform(8);
  const days = 500;
  const shares = [0.2, 0.5];
  const rows = Array.from({ length: 2 * days }, (_, i) => Math.floor(i / days));
  const actual = rows.map((instrument) => (uniform() < shares[instrument]! ? 1 : 0));
  const input = binaryClasses(
    actual,
    rows.map((instrument) => shares[instrument]!),
  );
  const own = (at: number) => ({
    trainLabelMean: [shares[at]!],
    classes: { priors: [[1 - shares[at]!, shares[at]!]], changes: [[0, 0.03]] },
  });
  return {
    ...input,
    instruments: ['A', 'B'],
    byInstrument: [own(0), own(1)],
    rows: {
      ...input.rows,
      openTime: input.rows.openTime.map((_, i) => input.rows.openTime[i % days]!),
      instrument: Int32Array.from(rows),
      regime: Int32Array.from(rows, (_, i) => Math.floor((i % days) / 167)),
    },
    baselines: [{ name: 'majority', predictions: new Float64Array(4 * days).fill(0.5) }],
  };
}

test('pooled: knowing which instrument moves more is no skill', () => {
  const input = pooled();
  const evaluation = evaluate(input);
  assert.equal(evaluation.beatsNaive, false);
  assert.equal(evaluation.skill[0]!.overall.value, 0);
  assert.equal(evaluation.forecasters.filter(({ name }) => name === 'majority').length, 1);
  const balanced = evaluation.forecasters[0]!.byHorizon[0]!.metrics['balancedAccuracyAtPriors']!;
  assert.ok(Math.abs(balanced.value! - 0.5) < 1e-9);
  const { byInstrument: _, ...blind } = input;
  const fooled = evaluate(blind);
  assert.equal(fooled.beatsNaive, true, 'against the shares of both it looks like skill');
});

test('slices come with the evaluation where rows say whose they are', () => {
  const { slices } = evaluate(pooled());
  assert.equal(slices?.reference, 'majority');
  assert.equal(slices?.metric, 'balancedAccuracyAtPriors');
  assert.deepEqual(
    slices?.slices.map(({ by, name, rows }) => `${by} ${name} ${rows}`),
    [
      'instrument A 500',
      'instrument B 500',
      'year 2016 726',
      'year 2017 274',
      'regime calm 334',
      'regime middling 334',
      'regime lively 332',
    ],
  );
  assert.ok(slices?.slices.every(({ skill }) => skill?.value === 0));
});

test('rows and training figures by instrument follow the order of the unit', () => {
  const close = Float64Array.from({ length: 80 }, (_, i) => 100 + Math.sin(i));
  const prepared = {
    instruments: [
      { id: 'B', from: 0, to: 40 },
      { id: 'A', from: 40, to: 80 },
    ],
    split: {
      train: Int32Array.of(25, 26, 65, 66),
      valid: Int32Array.of(),
      test: Int32Array.of(30, 70),
    },
    close,
    timeframe: '1d' as const,
    byInstrument: [{ trainLabelMean: [0.1], trainLabelVariance: [1] }, null],
  };
  const { instrument, regime } = rowsByInstrument(prepared, ['A', 'B']);
  assert.deepEqual([...instrument], [1, 0]);
  assert.equal(regime.length, 2);
  const [a, b] = trainingByInstrument(prepared, ['A', 'B'])!;
  assert.equal(a, undefined, 'trained on no row of A');
  assert.deepEqual(b?.trainLabelMean, [0.1]);
  assert.equal(trainingByInstrument({ instruments: prepared.instruments }, ['B']), undefined);
});

test('what honest models reach is not suspected, what a leak reaches is', () => {
  const figure = (value: number, low: number) => ({ value, low, high: 1, tooFewBlocks: false });
  const of = (
    horizon: number,
    { skill = 0, balanced = 1 / 3, area = 0.5, low = 0.51 },
    classes = 3,
  ) =>
    suspicionsOf(
      {
        skill: [
          {
            reference: 'r',
            overall: figure(skill, 0.01),
            byHorizon: [{ horizon, skill: figure(skill, 0.01) }],
          },
        ],
        forecasters: [
          {
            name: 'model',
            kind: 'model',
            weightedLoss: figure(1, 1),
            byHorizon: [
              {
                horizon,
                metrics: {
                  balancedAccuracyAtPriors: figure(balanced, low),
                  aucDirection: figure(area, low),
                },
              },
            ],
          },
        ],
      },
      'r',
      classes,
    );
  assert.deepEqual(of(1, { skill: 0.129, balanced: 0.484, area: 0.557 }), []);
  assert.deepEqual(of(4, { skill: 0.056, balanced: 0.434, area: 0.54 }), []);
  assert.deepEqual(of(4, { balanced: 0.51, low: 0.3 }), [], 'an interval that holds chance');
  assert.match(
    of(4, { balanced: 0.51 })[0]!,
    /^Balanced accuracy, priors divided out, of 0\.510 at 4 bars/,
  );
  assert.match(of(4, { skill: 0.11 })[0]!, /^Skill 0\.110/);
  assert.match(of(1, { area: 0.66 })[0]!, /^AUC of the direction 0\.660 at 1 bar is/);
  assert.deepEqual(of(7, { skill: 0.049 }, 0), []);
  assert.match(of(7, { skill: 0.06 }, 0)[0]!, /look for a leak first/);
  assert.deepEqual(of(30, { skill: 0.1 }, 0), []);
  assert.equal(of(30, { skill: 0.3 }, 0).length, 1);
});
