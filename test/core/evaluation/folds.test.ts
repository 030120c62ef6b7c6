import assert from 'node:assert/strict';
import { test } from 'node:test';
import { championOnFolds } from '../../../activities/evaluate-forecasts.ts';
import {
  evaluate,
  evaluationSchema,
  type EvaluationInput,
} from '../../../core/evaluation/index.ts';
import { DAY_MS, plant } from './planted.ts';

const ROWS = 600;
const FOLDS = 3;

/** The planted evaluation as that of three folds of 200 rows each. */
function folded(input: EvaluationInput, change: Partial<EvaluationInput> = {}): EvaluationInput {
  const first = (fold: number): number => input.rows.openTime[(fold * ROWS) / FOLDS]!;
  return {
    ...input,
    ...change,
    folds: Array.from({ length: FOLDS }, (_, fold) => ({
      ...input.split,
      test: { samples: ROWS / FOLDS, from: `fold ${fold}`, to: `end ${fold}` },
      trainedThrough: first(fold) - DAY_MS,
    })),
    trainedThrough: first(FOLDS - 1) - DAY_MS,
    rows: {
      ...input.rows,
      ...change.rows,
      fold: Int32Array.from({ length: ROWS }, (_, row) => Math.floor((row * FOLDS) / ROWS)),
    },
  };
}

test('each fold has figures of its own rows, and the whole those of all', () => {
  const { input } = plant({ rows: ROWS });
  // The oldest fold knew nothing: noise instead of the signal.
  const blind = input.seeds.map((seed) => ({
    ...seed,
    predictions: seed.predictions.map((x, i) => (i < (ROWS / FOLDS) * 3 ? -x : x)),
  }));
  const evaluation = evaluate(folded({ ...input, seeds: blind }));
  const folds = evaluation.folds!;
  assert.ok(folds[0]!.skill! < -0.3 && folds[1]!.skill! > 0.2 && folds[2]!.skill! > 0.2);
  const mean = folds.reduce((sum, fold) => sum + fold.weightedLoss!, 0) / FOLDS;
  assert.ok(Math.abs(mean - evaluation.forecasters[0]!.weightedLoss.value!) < 1e-12);
  assert.ok(folds[1]!.interval!.low! > 0, '20 independent outcomes: an interval is told');
  assert.equal(folds[0]!.seedLosses.length, 3);
  assert.doesNotThrow(() => evaluationSchema.parse(JSON.parse(JSON.stringify(evaluation))));
  assert.match(
    evaluation.notTested[1]!,
    /400 of the 600 test rows: they were forecast by its twins/,
  );
});

test('a fold is held against the mean of its own training labels', () => {
  const { input } = plant({ rows: ROWS });
  const drift = [0.02, -0.02, 0.01];
  const labels = input.rows.labels.map((y, i) => y + drift[Math.floor(i / ROWS)]!);
  const byInstrument = drift.map((mean) => ({ trainLabelMean: input.horizons.map(() => mean) }));
  const training = Int32Array.from({ length: ROWS }, (_, row) => Math.floor((row * FOLDS) / ROWS));
  const rows = { ...input.rows, labels, training };
  // Forecasts of nothing but the own fold's drift are worth as much as that reference, and no more.
  const seeds = input.seeds.map((seed) => ({
    ...seed,
    predictions: labels.map((_, i) => drift[Math.floor(i / ROWS)]!),
  }));
  const evaluation = evaluate(folded({ ...input, seeds, byInstrument }, { rows }));
  const skill = evaluation.skill.find((s) => s.reference === 'training mean')!;
  assert.equal(skill.overall.value, 0);
  assert.equal(evaluation.beatsNaive, true);
  assert.equal(evaluation.beatsTrainingMean, false);
});

test('a fold that learnt from later bars is said to have had hindsight', () => {
  const { input } = plant({ rows: ROWS });
  const whole = folded(input);
  const late = whole.folds!.map((fold, at) =>
    at === 0 ? { ...fold, trainedThrough: input.rows.openTime[450]! } : fold,
  );
  const evaluation = evaluate({ ...whole, folds: late });
  assert.deepEqual(
    evaluation.folds!.map(({ learntLater }) => learntLater),
    [true, false, false],
  );
  assert.ok(
    evaluation.notTested.some((text) => text.startsWith('Hindsight of fits: 1 of 3 folds')),
  );
  // No claim rests on what it knew: the tests see the rows of the others, figures show all.
  const against = evaluation.comparisons.find((c) => c.against === 'naive')!;
  assert.equal(against.rows, (2 * ROWS) / FOLDS);
  assert.equal(evaluation.rows.rows, ROWS);
  const clean = evaluate(whole).comparisons.find((c) => c.against === 'naive')!;
  assert.equal(clean.rows, ROWS);
});

test('against the champion count the rows of the newest fold only', () => {
  const { input, signal } = plant({ rows: ROWS });
  const whole = folded(input);
  const runs = Array.from({ length: FOLDS }, () => ({
    prepared: {
      labelKind: 'forwardLogReturn',
      horizons: input.horizons,
      split: { test: new Int32Array(ROWS / FOLDS) },
    },
    fits: [],
    baselines: [],
  }));
  // A champion of long ago: by its age alone all rows would be common.
  const newest = signal.slice((ROWS / FOLDS) * 2 * 3).map((x) => 0.2 * x);
  const champion = { version: 4, trainedThrough: 0, predictions: newest };
  const joined = championOnFolds(champion, runs as never)!;
  assert.equal(joined.predictions.length, signal.length);
  const evaluation = evaluate({ ...whole, champion: joined });
  assert.equal(evaluation.champion!.commonRows, ROWS / FOLDS);
  const comparison = evaluation.comparisons.find(({ against }) => against === 'champion')!;
  assert.equal(comparison.rows, ROWS / FOLDS);
  assert.equal(championOnFolds(champion, runs.slice(0, 1) as never), champion);
});

test('an ensemble is one forecast: no spread over seeds enters its test', () => {
  const { input } = plant({ rows: ROWS, forecast: { signal: 1, noise: 0.5 } });
  const single = evaluate(input);
  const ensemble = evaluate({ ...input, serve: 'seedEnsemble' });
  const against = (e: typeof single) => e.comparisons.find((c) => c.against === 'naive')!;
  assert.ok(against(single).seedVariance! > 0);
  assert.deepEqual([against(ensemble).seeds, against(ensemble).seedVariance], [1, 0]);
  // A third of the noise is left of three seeds' means.
  const loss = ensemble.forecasters[0]!.weightedLoss.value!;
  assert.ok(loss < single.seedSpread.mean! - 0.1);
  assert.equal(ensemble.serve, 'seedEnsemble');
  assert.ok(ensemble.seeds.every(({ served }) => served));
  assert.equal(
    against(ensemble).challengerLoss,
    against(ensemble).otherLoss! - against(ensemble).servedMeanDifference!,
  );
});
