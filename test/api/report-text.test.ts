import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { createOutput } from '../../api/cli/output.ts';
import { printEvaluation } from '../../api/cli/report-text.ts';
import { directionOf } from '../../api/routes/versions.ts';
import { evaluate, evaluationSchema, type Evaluation } from '../../core/evaluation/index.ts';
import { plant } from '../core/evaluation/planted.ts';
import { plantClasses } from '../core/evaluation/planted-classes.ts';

/** What the command prints of an evaluation. */
function printed(evaluation: Evaluation, json = false): string {
  const stdout = new PassThrough();
  printEvaluation({ out: createOutput(stdout, () => json), json }, 'btc', 3, evaluation);
  return String(stdout.read());
}

test('verdict, scores beside the baselines, slices and warnings', () => {
  const input = plantClasses(0.9);
  const regime = Int32Array.from(input.rows.labels, (_, i) => (i < 15 ? 0 : 1 + (i % 2)));
  const text = printed(evaluate({ ...input, rows: { ...input.rows, regime } }));
  assert.match(text, /^btc version 3: Better than the naive baseline: /);
  assert.match(text, /\n1 bar ahead:\nmetric +model +majority\n/);
  assert.match(
    text,
    /\nBalanced accuracy, priors divided out +\d+\.\d % \[[\d.]+ %, [\d.]+ %\] +33\.3 % \[/,
  );
  assert.match(text, /\nPrecision of buy +\d/);
  assert.match(text, /\nSlices, skill against the naive baseline:\n/);
  assert.match(text, /\ncalm market +too few rows +too few rows +15 +15\.0\n/);
  assert.match(text, /\nlively market +[+-]\d/);
  assert.match(text, /\nWarnings:\n- /);
});

test('of several folds it names the days of all test parts, not of the newest', () => {
  const evaluation = evaluate(plantClasses(0.5));
  const { split } = evaluation;
  assert.match(printed(evaluation), new RegExp(`\nTest part ${split.test.from} to `));
  const figures = { weightedLoss: 1, referenceLoss: 1, skill: 0, interval: null, seedLosses: [1] };
  const fold = { ...split, learntLater: false, ...figures };
  const folds = [{ ...fold, test: { ...split.test, from: '1999-01-04' } }, fold];
  assert.match(
    printed({ ...evaluation, folds }),
    new RegExp(`\nTest parts of 2 folds, 1999-01-04 to ${split.test.to}: `),
  );
});

test('a quantity, with NaN forecasts: dashes, no NaN', () => {
  const { input } = plant();
  const seeds = input.seeds.map((s) => ({ ...s, predictions: s.predictions.map(() => NaN) }));
  const text = printed(evaluate({ ...input, seeds }));
  assert.match(text, /\nRMSE +- +0\.0\d+ \[/);
  assert.doesNotMatch(text, /NaN|undefined|null/);
});

test('with --json all figures, as they are stored', () => {
  const evaluation = evaluate(plantClasses(0.5));
  const answer = JSON.parse(printed(evaluation, true)) as Record<string, unknown>;
  assert.deepEqual([answer['model'], answer['version']], ['btc', 3]);
  assert.deepEqual(evaluationSchema.parse(answer['evaluation']), evaluation);
});

test('which way is better: catalogues first, then the name', () => {
  const lower = ['h4.brier', 'h4.ece', 'h4.logLoss', 'h7.rmse', 'seedSd', 'weightedLoss', 'myLoss'];
  const higher = ['h4.recall_buy', 'h4.auc', 'h7.rankIc', 'h4.majorityAccuracy', 'skillVsMajority'];
  for (const name of lower) assert.equal(directionOf(name), 'lower', name);
  for (const name of higher) assert.equal(directionOf(name), 'higher', name);
});
