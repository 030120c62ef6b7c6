import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  evaluate,
  flatMetrics,
  parseEvaluation,
  shortVerdict,
} from '../../../core/evaluation/index.ts';
import { decodeTestRows, encodeTestRows, testRowsOf } from '../../../core/evaluation/index.ts';
import { plotsOf } from '../../../core/evaluation/report/plots.ts';
import { renderReport } from '../../../core/evaluation/report/render.ts';
import { seedOf } from './planted.ts';
import { PRIORS, plantClasses } from './planted-classes.ts';

test('a model that knows something beats the class shares, and says so', () => {
  const evaluation = evaluate(plantClasses(0.9));
  assert.equal(evaluation.beatsNaive, true);
  assert.match(evaluation.verdict, /^Better than the naive baseline: weighted loss .* % lower/);
  assert.match(
    shortVerdict(evaluation.verdict),
    /^Better than the naive baseline; its answers at 1 bar \w[\w ]* always "hold"$/,
  );
  assert.deepEqual(
    evaluation.forecasters.map(({ name, kind }) => [name, kind]),
    [
      ['model', 'model'],
      ['majority', 'reference'],
    ],
  );
  assert.ok(flatMetrics(evaluation)['skillVsMajority']! > 0.02);
  assert.deepEqual(
    evaluation.data.classes?.map((c) => [c.name, c.priors[0]]),
    [
      ['sell', 0.25],
      ['hold', 0.5],
      ['buy', 0.25],
    ],
  );
  const bytes = new TextEncoder().encode(JSON.stringify(evaluation));
  assert.deepEqual(parseEvaluation(bytes), evaluation);
});

test('a model that says the shares is no better than they are, by log loss', () => {
  const input = plantClasses(0.9);
  const constant = Float64Array.from({ length: 2700 }, (_, i) => PRIORS[i % 3]!);
  const evaluation = evaluate({ ...input, seeds: [seedOf(1, constant)] });
  assert.equal(evaluation.beatsNaive, false);
  assert.match(evaluation.verdict, /^No better than the naive baseline/);
  assert.ok(evaluation.warnings.some((text) => text.includes('nothing was learnt')));
  const loss = evaluation.forecasters[0]!.weightedLoss.value!;
  const counts = [0, 0, 0];
  for (const of of input.rows.labels) counts[of]! += 1;
  const want = -counts.reduce((sum, n, of) => sum + (n / 900) * Math.log(PRIORS[of]!), 0);
  assert.ok(Math.abs(loss - want) < 1e-12);
});

test('a NaN probability makes figures null and passes no gate', () => {
  const input = plantClasses(0.9);
  const bad = input.seeds[0]!.predictions.slice().fill(NaN, 300, 303);
  const evaluation = evaluate({ ...input, seeds: [seedOf(1, bad)] });
  assert.equal(evaluation.beatsNaive, false);
  assert.match(evaluation.verdict, /^Unusable/);
});

test('rows, report and charts of a class model hold together', () => {
  const input = plantClasses(0.5);
  const evaluation = evaluate(input);
  const rows = testRowsOf(input, evaluation.servedSeed, {
    timeframe: '1d',
    instrument: new Int32Array(900),
  });
  const read = decodeTestRows(encodeTestRows(rows));
  assert.deepEqual(read.priors, [PRIORS]);
  assert.deepEqual(read.predictions, rows.predictions);
  const plots = plotsOf(evaluation, input);
  assert.ok(plots.some(({ name }) => name === 'forecast-1'));
  assert.match(renderReport(evaluation, plots), /majority/);
});
