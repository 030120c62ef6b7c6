import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluate, type EvaluationInput } from '../../../core/evaluation/index.ts';
import { importanceOf, IMPORTANT_MAX } from '../../../core/evaluation/importance.ts';
import { plotsOf } from '../../../core/evaluation/report/plots.ts';
import { renderReport, REPORT_SECTIONS } from '../../../core/evaluation/report/render.ts';
import { renderPng } from '../../../activities/evaluation-plots.ts';
import { plant, seedOf } from './planted.ts';
import { binaryClasses, plantClasses } from './planted-classes.ts';

/** Classes, slices and importance: everything that a report of classes can show. */
function withEverything(): EvaluationInput {
  const input = plantClasses(0.9);
  const rows = input.rows.openTime.length;
  const names = Array.from({ length: 30 }, (_, i) => `feature_${i}`);
  const importance = [{ gain: names.map((_, i) => 30 - i), split: names.map((_, i) => i) }];
  return {
    ...input,
    featureNames: names,
    seeds: input.seeds.map((seed) => ({ ...seed, importance })),
    rows: { ...input.rows, regime: Int32Array.from({ length: rows }, (_, i) => i % 3) },
  };
}

const reportOf = (input: EvaluationInput): string => {
  const evaluation = evaluate(input);
  return renderReport(evaluation, plotsOf(evaluation, input));
};

function textOf(report: string, id: string): string {
  const start = report.indexOf(`<section id="${id}">`);
  assert.ok(start >= 0, `section ${id}`);
  return report
    .slice(start, report.indexOf('</section>', start))
    .replaceAll(/<svg.*?<\/svg>/gs, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');
}

test('a report of classes has its own sections in their places, a report of a quantity has not', () => {
  const idsOf = (report: string): (string | undefined)[] =>
    [...report.matchAll(/<section id="([a-z-]+)">/g)].map((m) => m[1]);
  const fixed = REPORT_SECTIONS.map(([id]) => id);
  const at = fixed.indexOf('slices');
  assert.deepEqual(idsOf(reportOf(withEverything())), [
    ...fixed.slice(0, at),
    'classes',
    'slices',
    'importance',
    ...fixed.slice(at + 1),
  ]);
  assert.deepEqual(idsOf(reportOf(plant().input)), fixed);
});

test('classes: shares, precision, recall and F1 of each, beside what the majority class would do', () => {
  const text = textOf(reportOf(withEverything()), 'classes');
  assert.match(text, /(Beats|Is not proved to beat|Does not beat) its baseline: accuracy/);
  assert.match(text, /Class Training share Test share Answered Precision Recall F1 sell 25\.0 %/);
  assert.match(text, /Confusion, 1 bar .*Calibration, 1 bar/);
});

test('the table of metrics leaves what is about one class to the table of classes', () => {
  const text = textOf(reportOf(withEverything()), 'baselines');
  assert.match(text, /Balanced accuracy, priors divided out higher is better \d/);
  assert.doesNotMatch(text, /Precision of|Recall of|F1 of/);
});

test('slices: skill with interval, or too few rows', () => {
  const text = textOf(reportOf(withEverything()), 'slices');
  assert.match(text, /calm market [+-][\d.]+ % [+-][\d.]+ % to [+-][\d.]+ % .* 300 300\.0/);
  assert.match(
    text,
    /Slice Skill against the naive baseline Balanced accuracy, priors divided out Loss/,
  );
  const short = withEverything();
  const regime = Int32Array.from(short.rows.regime!, (_, i) => (i < 10 ? 0 : 1));
  assert.match(
    textOf(reportOf({ ...short, rows: { ...short.rows, regime } }), 'slices'),
    /calm market too few rows too few rows [\d.]+ [\d.]+ 10 10\.0/,
  );
  assert.match(textOf(reportOf(plantClasses(0.5)), 'slices'), /were not sliced/);
});

test('features: the first by share of the gain; none where a family cannot say', () => {
  const input = withEverything();
  const evaluation = evaluate(input);
  const [of] = evaluation.importance!;
  assert.equal(of!.used, 30);
  assert.equal(of!.features.length, IMPORTANT_MAX);
  assert.deepEqual(of!.features[0], { name: 'feature_0', share: 30 / 465, splits: 0 });
  assert.match(textOf(reportOf(input), 'importance'), /30 features took part; the first 20/);
  assert.equal(importanceOf([1], ['a'], undefined), undefined);
  const unused = [{ gain: [0, 0], split: [0, 0] }];
  assert.deepEqual(importanceOf([1], ['a', 'b'], unused), [], 'a model without a split');
});

test('charts of classes: one set per horizon, drawn as PNG, no residuals of classes', async () => {
  const input = withEverything();
  const plots = plotsOf(evaluate(input), input);
  assert.deepEqual(
    plots.map(({ name }) => name),
    [
      'skill',
      'loss-curves',
      'forecast-1',
      'confusion-1',
      'calibration-1',
      'slices',
      'importance-1',
    ],
  );
  for (const { svg } of plots) {
    const png = await renderPng(svg);
    assert.deepEqual([...png.subarray(1, 4)], [...Buffer.from('PNG')]);
    assert.ok(png.length > 3000);
  }
});

test('a probability that is no number, and a class that never came, print as words', () => {
  const input = withEverything();
  const bad = input.seeds.map((seed) => ({
    ...seed,
    predictions: seed.predictions.map(() => NaN),
  }));
  const never = binaryClasses(
    Array.from({ length: 200 }, () => 0),
    Array.from({ length: 200 }, (_, i) => 0.1 + (i % 7) / 20),
  );
  for (const given of [{ ...input, seeds: bad }, never]) {
    const report = reportOf(given);
    assert.doesNotMatch(report, /NaN|Infinity|undefined|null/);
  }
  assert.match(textOf(reportOf(never), 'classes'), /buy 0\.0 % 0\.0 % 0\.0 %/);
});

test('names from outside cannot become markup in the new sections', () => {
  const evil = '<img src=x>';
  const input = withEverything();
  const importance = [{ gain: [1], split: [1] }];
  const report = reportOf({
    ...input,
    instruments: [evil, 'B'],
    featureNames: [evil],
    seeds: [{ ...seedOf(1, input.seeds[0]!.predictions), importance }],
    rows: { ...input.rows, instrument: Int32Array.from(input.rows.regime!, (_, i) => i % 2) },
  });
  assert.ok(!report.includes('<img'));
});
