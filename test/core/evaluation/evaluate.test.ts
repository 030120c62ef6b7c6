import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  evaluate,
  evaluateWithPauses,
  evaluationSchema,
  flatMetricDirection,
  flatMetrics,
  medianSeed,
  parseEvaluation,
  type Evaluation,
  type EvaluationInput,
  shortVerdict,
} from '../../../core/evaluation/index.ts';
import { labelKinds } from '../../../core/labels/index.ts';
import { DAY_MS, normals, plant, seedOf } from './planted.ts';

const skillVsNaive = (e: Evaluation): number =>
  e.skill.find((s) => s.reference === 'naive')!.overall.value!;

test('pauses change nothing: one after each forecaster and horizon, and one before the slices', async () => {
  const { input } = plant();
  let pauses = 0;
  const paused = await evaluateWithPauses(input, async () => {
    pauses += 1;
  });
  assert.deepEqual(paused, evaluate(input));
  assert.equal(pauses, paused.forecasters.length * input.horizons.length + 1);
});

test('a truly better model is said to be better than naive, and is', () => {
  const evaluation = evaluate(plant().input);
  assert.equal(evaluation.beatsNaive, true);
  assert.equal(evaluation.beatsTrainingMean, true);
  assert.match(
    evaluation.verdict,
    /^Better than the naive baseline: weighted loss \d+\.\d % lower than "nothing changes" .*p < 0\.001\), and better than the training mean\.$/,
  );
  assert.ok(skillVsNaive(evaluation) > 0.2);
  assert.doesNotThrow(() => evaluationSchema.parse(JSON.parse(JSON.stringify(evaluation))));
});

test('a worse-than-naive model is said to be no better than naive', () => {
  const { input } = plant({ forecast: { signal: 0, noise: 0.4 } });
  const evaluation = evaluate(input);
  assert.equal(evaluation.beatsNaive, false);
  assert.match(
    evaluation.verdict,
    /^No better than the naive baseline: weighted loss 1\d\.\d % higher than "nothing changes" \(skill 95 % interval -/,
  );
  assert.ok(skillVsNaive(evaluation) < -0.1);
  assert.equal(evaluation.verdict.match(/[.!?](\s|$)/g)?.length, 1, 'one sentence');
});

test('a model that only looks better is not said to be', () => {
  const { input } = plant({ known: 0.01, rows: 240, forecast: { signal: 0.5, noise: 0.03 } });
  const evaluation = evaluate(input);
  assert.ok(skillVsNaive(evaluation) > 0);
  assert.equal(evaluation.beatsNaive, false);
  assert.match(evaluation.verdict, /^Not proved better than the naive baseline: .*p = 0\.\d+\)\.$/);
});

test('too few independent rows: the verdict counts them, and nothing is proved', () => {
  const evaluation = evaluate(plant({ rows: 199 }).input);
  assert.equal(evaluation.beatsNaive, false);
  assert.match(
    evaluation.verdict,
    /199 rows are 19\.9 independent horizons of 10 bars, 20 are needed/,
  );
  assert.equal(evaluation.power, null);
  assert.ok(evaluation.notTested.some((text) => text.startsWith('Horizon 10:')));
});

test('a NaN forecast never passes, whatever else is good', () => {
  for (const bad of [NaN, Infinity]) {
    const { input } = plant();
    const broken = input.seeds.map((s) => ({ ...s, predictions: s.predictions.slice() }));
    broken[1]!.predictions[100] = bad;
    const evaluation = evaluate({ ...input, seeds: broken });
    assert.equal(evaluation.beatsNaive, false);
    assert.equal(evaluation.beatsTrainingMean, false);
    assert.match(
      evaluation.verdict,
      /^Unusable: the loss on the test part is not a finite number\.$/,
    );
    assert.doesNotThrow(() =>
      parseEvaluation(new TextEncoder().encode(JSON.stringify(evaluation))),
    );
  }
});

test('the drift of the training part alone is not called skill over the training mean', () => {
  const { input } = plant({ rows: 900, known: 0.3 });
  const drift = 0.02;
  const labels = input.rows.labels.map((y) => y + drift);
  const lifted: EvaluationInput = {
    ...input,
    rows: { ...input.rows, labels },
    trainLabelMean: input.horizons.map(() => drift),
    seeds: input.seeds.map((s, i) => {
      const normal = normals(50 + i);
      return { ...s, predictions: labels.map(() => drift + 0.002 * normal()) };
    }),
  };
  const evaluation = evaluate(lifted);
  assert.equal(evaluation.beatsNaive, true);
  assert.equal(evaluation.beatsTrainingMean, false);
  assert.match(evaluation.verdict, /but not proved better than the training mean\.$/);
  assert.equal(
    shortVerdict(evaluation.verdict),
    'Better than the naive baseline, but not proved better than the training mean',
  );
});

const championOf = (input: EvaluationInput, predictions: Float64Array, through?: number) => ({
  version: 3,
  trainedThrough: through ?? input.trainedThrough,
  predictions,
});

test('against the champion: better, equal, and no common rows', () => {
  const { input, signal } = plant();
  const weak = signal.map((x) => 0.2 * x);
  const better = evaluate({ ...input, champion: championOf(input, weak) });
  assert.match(
    better.verdict,
    /^Proved better than champion v3: weighted loss .* lower over 3 seeds \(p < 0\.001, try 1\); better than the naive baseline/,
  );
  const same = evaluate({ ...input, champion: championOf(input, input.seeds[1]!.predictions) });
  assert.match(same.verdict, /^Not proved better than champion v3: /);
  const after = input.rows.openTime.at(-1)!;
  const none = evaluate({ ...input, champion: championOf(input, weak, after) });
  assert.match(
    none.verdict,
    /^No test rows in common with champion v3, so not compared with it; better than the naive baseline/,
  );
  assert.equal(none.champion?.commonRows, 0);
  const naive = 'better than the naive baseline, and better than the training mean';
  assert.deepEqual(
    [better, same, none].map(({ verdict }) => shortVerdict(verdict)),
    [
      `Proved better than champion v3; ${naive}`,
      `Not proved better than champion v3; ${naive}`,
      `No test rows in common with champion v3, so not compared with it; ${naive}`,
    ],
  );
});

test('only rows after both trainedThrough count, and only those the champion answers', () => {
  const { input, signal } = plant();
  const times = input.rows.openTime;
  const champion = championOf(input, signal.slice(), times[99]!);
  champion.predictions.fill(NaN, 200 * 3, 210 * 3);
  const evaluation = evaluate({ ...input, champion });
  assert.equal(evaluation.champion?.commonRows, 600 - 100 - 10);
  const embargoed = evaluate({ ...input, champion: { ...champion, newFrom: times[130]! } });
  assert.equal(embargoed.champion?.commonRows, 600 - 130 - 10, 'the embargo is behind it too');
  const late = evaluate({ ...input, champion: championOf(input, signal, times[401]!) });
  assert.match(
    late.verdict,
    /^Insufficient evidence against champion v3 \(198 rows are 19\.8 independent/,
  );
});

test('instruments are averaged per time stamp: copies add no evidence', () => {
  const one = plant({ rows: 400 }).input;
  const doubled = (values: Float64Array, width: number): Float64Array => {
    const out = new Float64Array(values.length * 2);
    for (let row = 0; row < values.length / width; row++) {
      const part = values.subarray(row * width, (row + 1) * width);
      out.set(part, 2 * row * width);
      out.set(part, (2 * row + 1) * width);
    }
    return out;
  };
  const two: EvaluationInput = {
    ...one,
    instruments: ['^GSPC', '^COPY'],
    rows: { openTime: doubled(one.rows.openTime, 1), labels: doubled(one.rows.labels, 3) },
    seeds: one.seeds.map((s) => ({ ...s, predictions: doubled(s.predictions, 3) })),
  };
  const [a, b] = [evaluate(one), evaluate(two)];
  assert.equal(b.rows.rows, 800);
  assert.equal(b.rows.timeStamps, 400);
  for (const [i, comparison] of a.comparisons.entries()) {
    const other = b.comparisons[i]!;
    assert.equal(other.rows, comparison.rows);
    assert.ok(Math.abs(other.test!.p - comparison.test!.p) < 1e-9);
    assert.ok(
      Math.abs(other.servedRelativeDifference.low! - comparison.servedRelativeDifference.low!) <
        1e-9,
    );
  }
});

test('the served seed is the median one: not the best, the lower middle of an even number', () => {
  const seeds = (...losses: number[]) =>
    losses.map((bestValidLoss, i) => ({ seed: i + 1, bestValidLoss }));
  assert.equal(medianSeed(seeds(0.3, 0.1, 0.2)), 3);
  assert.equal(medianSeed(seeds(0.4, 0.1, 0.3, 0.2)), 4);
  assert.equal(medianSeed(seeds(0.5, 0.5)), 1, 'ties: the smaller seed');
  assert.equal(medianSeed(seeds(NaN, 0.2, 0.1)), 2, 'a failed seed counts as the worst');
  assert.equal(medianSeed(seeds(7)), 1);
  assert.throws(() => medianSeed(seeds(NaN, NaN, 1)), { code: 'evaluation.no-finite-seed' });
  assert.throws(() => medianSeed([]), { code: 'evaluation.no-finite-seed' });
});

test('a lucky best seed does not decide: the deployed one must be better by itself', () => {
  const { input, signal } = plant({ rows: 800 });
  const champion = championOf(
    input,
    signal.map((x) => 0.6 * x),
  );
  const good = signal.slice();
  const bad = signal.map((x) => 0.55 * x);
  const seeds = [
    { ...seedOf(1, good), bestValidLoss: 0.1 },
    { ...seedOf(2, bad), bestValidLoss: 0.2 },
    { ...seedOf(3, good), bestValidLoss: 0.3 },
  ];
  const evaluation = evaluate({ ...input, seeds, champion });
  const comparison = evaluation.comparisons.find((c) => c.against === 'champion')!;
  assert.equal(evaluation.servedSeed, 2);
  assert.ok(comparison.meanDifference! > 0 && comparison.servedMeanDifference! < 0);
  assert.match(evaluation.verdict, /^Not proved better than champion v3/);
});

test('a p stands beside the difference that was tested, and what is served is named as such', () => {
  const planted = plant({ known: 0.01, rows: 240, forecast: { signal: 0.5, noise: 0.03 } }).input;
  // The two that are not served are other models.
  const input = {
    ...planted,
    seeds: planted.seeds.map((one, i) =>
      i === 1 ? one : { ...one, predictions: one.predictions.map((x) => 0.6 * x) },
    ),
  };
  const weak = input.rows.labels.map(() => 0);
  const { verdict, comparisons } = evaluate({ ...input, champion: championOf(input, weak) });
  const change = (share: number): string => {
    const size = 100 * Math.abs(share);
    return `${size.toFixed(size < 0.1 ? 2 : 1)} % ${share > 0 ? 'lower' : 'higher'}`;
  };
  const of = (against: string) => comparisons.find((c) => c.against === against)!;
  const [champion, naive] = [of('champion'), of('naive')];
  const p = (c: typeof naive): string => `p = ${c.test!.p.toFixed(3)}`;
  const [served, all] = [
    change(naive.servedRelativeDifference.value!),
    change(naive.relativeDifference!),
  ];
  assert.notEqual(served, all, 'the served seed is another comparison');
  assert.equal(
    verdict.replace(/skill 95 % interval \S+ to \S+ %/, 'interval'),
    `Not proved better than champion v3: weighted loss ${change(champion.servedRelativeDifference.value!)} as served, ` +
      `${change(champion.relativeDifference!)} over 3 seeds (${p(champion)}, try 1); ` +
      `not proved better than the naive baseline: weighted loss ${served} than "nothing changes" as served (interval), ` +
      `${all} over 3 seeds (${p(naive)}).`,
  );
  const short = 'Not proved better than champion v3; not proved better than the naive baseline';
  assert.equal(shortVerdict(verdict), short);
  const one = evaluate({ ...input, seeds: input.seeds.slice(0, 1) });
  const [only] = one.comparisons;
  assert.match(one.verdict, new RegExp(`"nothing changes" \\(skill [^()]*, ${p(only!)}\\)\\.$`));
  assert.doesNotMatch(one.verdict, /as served|seeds/);
});

test('a baseline that equals a reference is shown once, others each', () => {
  const { input, signal } = plant();
  const baselines = [
    { name: 'naive', predictions: new Float64Array(signal.length) },
    { name: 'ridge', predictions: signal.map((x) => 0.5 * x) },
  ];
  const evaluation = evaluate({ ...input, baselines });
  assert.deepEqual(
    evaluation.forecasters.map((f) => f.name),
    ['model', 'naive', 'training mean', 'ridge'],
  );
  assert.equal(evaluation.bestBaseline, 'ridge');
});

test('of an agent that learnt by trading the report says what its probabilities are', () => {
  const { input } = plant();
  const caveat = /probabilities are those of its own actions/;
  assert.ok(evaluate(input).warnings.every((text) => !caveat.test(text)));
  const { warnings } = evaluate({ ...input, learnsByTrading: true });
  assert.equal(warnings.filter((text) => caveat.test(text)).length, 1);
});

test('what a reader must know: warnings of the data, constant forecasts, a suspicious skill', () => {
  const { input, signal } = plant({ horizons: [5] });
  const suspicious = evaluate(input).warnings;
  assert.ok(suspicious.some((text) => text.includes('gap features are blind')));
  assert.ok(suspicious.some((text) => text.includes('look for a leak first')));
  const constant = [
    seedOf(
      1,
      signal.map(() => 0.001),
    ),
  ];
  const flat = evaluate({ ...input, seeds: constant });
  assert.ok(flat.warnings.some((text) => text.includes('nothing was learnt')));
  assert.ok(flat.notTested.some((text) => text.includes('one seed cannot show')));
  const fresh = /spread over fresh starts: every seed went on from version 3/;
  const later = { ...input, continuedFrom: 3, restated: ['macro'] };
  const known = evaluate(later);
  assert.ok(known.notTested.some((text) => fresh.test(text)));
  assert.ok(known.warnings.some((text) => text.startsWith('Dataset macro has no vintages')));
  const one = evaluate({ ...later, seeds: constant });
  assert.ok(!one.notTested.some((text) => fresh.test(text)), 'one seed has no spread');
  const few = evaluate(plant({ rows: 90, horizons: [10] }).input);
  assert.ok(few.warnings.some((text) => text.startsWith('Too few blocks (4.5)')));
});

test('every label kind: a forecast of the naive price has skill 0 and no direction', () => {
  for (const label of labelKinds.filter((kind) => kind.task === 'regression')) {
    const { input } = plant({ horizons: [1, 5] });
    const labels = input.rows.labels.map((x) => label.value(1, Math.exp(x)));
    const predictions = labels.map(() => label.unchanged);
    const evaluation = evaluate({
      ...input,
      label,
      rows: { ...input.rows, labels },
      seeds: [seedOf(1, predictions)],
    });
    assert.equal(skillVsNaive(evaluation), 0, label.name);
    const scored = evaluation.forecasters[0]!.byHorizon[0]!.metrics;
    assert.equal(scored['directionAccuracy2']!.value! + scored['alwaysUp']!.value!, 1, label.name);
    assert.match(evaluation.verdict, /^No better than the naive baseline/);
  }
});

test('the same input gives the same evaluation, its rows are named by content', () => {
  const { input } = plant();
  const [a, b] = [evaluate(input), evaluate(input)];
  assert.deepEqual(a, b);
  const labels = input.rows.labels.slice();
  labels[5]! += 1e-12;
  assert.notEqual(
    evaluate({ ...input, rows: { ...input.rows, labels } }).rows.digest,
    a.rows.digest,
  );
  const other = plant({ forecast: { signal: 0, noise: 1 } }).input;
  assert.equal(evaluate(other).rows.digest, a.rows.digest, 'what was trained does not matter');
});

test('tries lower the level', () => {
  const { input } = plant();
  const { tries } = evaluate({ ...input, triesBefore: 2 });
  assert.equal(tries.k, 3);
  assert.ok(Math.abs(tries.level - (0.05 * 6) / (Math.PI ** 2 * 9)) < 1e-15);
});

test('flat metrics have names and directions', () => {
  const flat = flatMetrics(evaluate(plant().input));
  assert.ok(flat['h5.rmse']! > 0 && flat['skillVsNaive']! > 0 && flat['h10.skillVsNaive']! > 0);
  for (const name of Object.keys(flat)) assert.ok(flatMetricDirection(name), name);
  assert.equal(flatMetricDirection('h5.rmse'), 'lower');
  for (const name of ['h5.nonsense', 'toString', ''])
    assert.equal(flatMetricDirection(name), undefined);
});

test('mistakes of a caller are refused by name', () => {
  const { input } = plant();
  assert.throws(() => evaluate({ ...input, seeds: [] }), { code: 'evaluation.empty' });
  const short = [seedOf(1, new Float64Array(4))];
  assert.throws(() => evaluate({ ...input, seeds: short }), { code: 'metrics.lengths' });
  assert.throws(() => evaluate({ ...input, lossWeights: [1] }), { code: 'metrics.lengths' });
  const none = { openTime: new Float64Array(0), labels: new Float64Array(0) };
  assert.throws(() => evaluate({ ...input, rows: none }), { code: 'evaluation.empty' });
  assert.ok(DAY_MS > 0);
});
