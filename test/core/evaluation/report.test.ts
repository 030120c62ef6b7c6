import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluate, parseEvaluation, type EvaluationInput } from '../../../core/evaluation/index.ts';
import { plotsOf } from '../../../core/evaluation/report/plots.ts';
import { renderReport, REPORT_SECTIONS } from '../../../core/evaluation/report/render.ts';
import { withLaterSection } from '../../../core/evaluation/report/later-section.ts';
import { ticksOf } from '../../../core/evaluation/report/svg.ts';
import { renderPng } from '../../../activities/evaluation-plots.ts';
import { plant } from './planted.ts';

const reportOf = (input: EvaluationInput): string => {
  const evaluation = evaluate(input);
  return renderReport(evaluation, plotsOf(evaluation, input));
};

/** Text of one section, without markup. */
function textOf(report: string, id: string): string {
  const start = report.indexOf(`<section id="${id}">`);
  assert.ok(start >= 0, `section ${id}`);
  const markup = report.slice(start, report.indexOf('</section>', start));
  return markup
    .replaceAll(/<svg.*?<\/svg>/gs, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');
}

const withEverything = (): EvaluationInput => {
  const { input, signal } = plant();
  return {
    ...input,
    baselines: [{ name: 'ridge', predictions: signal.map((x) => 0.4 * x) }],
    champion: {
      version: 3,
      trainedThrough: input.trainedThrough,
      predictions: signal.map((x) => 0.5 * x),
    },
    reliability: [{ horizon: 5, bins: [{ stated: 0.4, observed: 0.35, rows: 50 }] }],
    triesBefore: 1,
  };
};

test('every report has its fixed sections, in order, whatever there is to say', () => {
  for (const input of [withEverything(), { ...plant().input, quality: [], datasets: [] }]) {
    const report = reportOf(input);
    const found = [...report.matchAll(/<section id="([a-z-]+)">/g)].map((m) => m[1]);
    assert.deepEqual(
      found,
      REPORT_SECTIONS.map(([id]) => id),
    );
    for (const [id, title] of REPORT_SECTIONS) {
      assert.ok(textOf(report, id).length > title.length + 40, `${id} says something`);
    }
  }
});

test('the sections say what they are for', () => {
  const report = reportOf(withEverything());
  assert.match(report, /class="verdict good">Proved better than champion v3: /);
  assert.match(textOf(report, 'verdict'), /would have found a 5 % improvement with probability/);
  assert.match(textOf(report, 'data'), /gap features are blind there 1,821/);
  assert.match(textOf(report, 'split'), /test 2016-01-04 2018-11-15 600/);
  assert.match(textOf(report, 'baselines'), /training mean .* to .* ridge/);
  assert.match(textOf(report, 'seeds'), /\(served\).* median validation loss/);
  assert.match(
    textOf(report, 'champion'),
    /Champion v3, trained through 2016-01-03 Common rows 600/,
  );
  assert.match(textOf(report, 'tries'), /Try number 2 against champion v3/);
  assert.match(textOf(report, 'not-tested'), /Trading: no costs/);
});

test('a worse-than-naive model is told so at the top', () => {
  const report = reportOf(plant({ forecast: { signal: 0, noise: 0.4 } }).input);
  assert.match(report, /class="verdict">No better than the naive baseline: /);
  assert.match(textOf(report, 'champion'), /Nothing serves this model yet/);
});

test('self-contained: nothing is loaded from anywhere, nothing runs', () => {
  const report = reportOf(withEverything()).replaceAll('http://www.w3.org/2000/svg', '');
  assert.doesNotMatch(report, /https?:|<script|<link|<img|@import|url\(/);
});

test('names from outside cannot become markup', () => {
  const evil = '<img src=x onerror="alert(1)">';
  const { input } = plant();
  const report = reportOf({
    ...input,
    model: evil,
    featureSet: evil,
    quality: [
      { ...input.quality[0]!, findings: [{ ...input.quality[0]!.findings[0]!, message: evil }] },
    ],
  });
  assert.ok(!report.includes('<img'));
  assert.ok(report.includes('&lt;img'));
});

test('figures that are not defined are printed as such, never as NaN', () => {
  const { input } = plant();
  const broken = input.seeds.map((s) => ({ ...s, predictions: s.predictions.map(() => NaN) }));
  for (const report of [
    reportOf({ ...input, seeds: broken }),
    reportOf(plant({ rows: 12 }).input),
    reportOf({ ...input, seeds: input.seeds.map((s) => ({ ...s, history: [] })) }),
  ]) {
    assert.doesNotMatch(report, /NaN|Infinity|undefined|null/);
  }
});

test('charts: names to file them by, one set per horizon, the same bytes twice', () => {
  const input = withEverything();
  const evaluation = evaluate(input);
  const plots = plotsOf(evaluation, input);
  assert.deepEqual(
    plots.map((p) => p.name),
    [
      'skill',
      'loss-curves',
      ...[1, 5, 10].flatMap((h) => [`forecast-${h}`, `residuals-${h}`]),
      'reliability',
    ],
  );
  assert.deepEqual(plotsOf(evaluation, input), plots);
  for (const { svg } of plots) assert.match(svg, /^<svg xmlns=.*<\/svg>$/s);
});

test('axis ticks are round numbers inside the axis', () => {
  assert.deepEqual(ticksOf([0, 1], 4), [0, 0.25, 0.5, 0.75, 1]);
  for (const [low, high] of [
    [-3.2, 7.9],
    [0.00013, 0.00077],
    [1e6, 9e6],
  ] as const) {
    const ticks = ticksOf([low, high], 5);
    assert.ok(ticks.length >= 2 && ticks.length <= 8, `${ticks.length} ticks`);
    assert.ok(ticks.every((t) => t >= low - 1e-9 && t <= high * (1 + 1e-9)));
  }
});

test('every chart is well-formed: resvg draws it as PNG', async () => {
  const input = withEverything();
  const broken = input.seeds.map((s) => ({ ...s, predictions: s.predictions.map(() => NaN) }));
  for (const given of [input, { ...input, seeds: broken }]) {
    for (const { svg } of plotsOf(evaluate(given), given)) {
      const png = await renderPng(svg);
      assert.deepEqual([...png.subarray(1, 4)], [...Buffer.from('PNG')]);
      assert.ok(png.length > 3000);
    }
  }
});

test('the search that chose the hyperparameters is told, with its number of trials and its charts', () => {
  const { input } = plant();
  const search = {
    ...{ search: 'tpe', pruner: 'successiveHalving', trials: 30, pruned: 12, failed: 1 },
    ...{
      stoppedBy: 'minutes' as const,
      bestTrial: 7,
      validLoss: 0.9712,
      deflatedValidLoss: 0.9844,
    },
    chosen: [
      { path: 'learningRate', value: 0.00123 },
      { path: 'units', value: [32, 32] },
    ],
    importances: [
      { path: 'learningRate', share: 0.612 },
      { path: 'units', share: null },
    ],
  };
  const evaluation = evaluate({ ...input, search });
  assert.deepEqual(parseEvaluation(Buffer.from(JSON.stringify(evaluation))).search, search);
  const plot = { name: 'search-parallel', title: 'Trials', svg: '<svg id="lines"></svg>' };
  const report = renderReport(evaluation, [...plotsOf(evaluation, input), plot]);
  const text = textOf(report, 'search');
  assert.match(
    text,
    /best of 30 trials \(tpe\) by validation loss, 0\.9712, which is 0\.9844 without/,
  );
  assert.match(text, /12 were ended early \(successiveHalving\); 1 failed; its minutes were over/);
  assert.match(text, /learningRate 0\.00123 61\.2 %/);
  assert.match(text, /units \[32,32\] n\/a/);
  assert.ok(report.includes('id="lines"'));
  assert.doesNotMatch(reportOf(input), /id="search"/);
});

test('a section that comes later stands at the end, in the list of sections too', () => {
  const page = renderReport(evaluate(plant().input), []);
  const late = { id: 'size', title: 'Size and speed', sentences: ['1 kB < 2 kB.', 'Fast.'] };
  const whole = withLaterSection(page, late);
  assert.ok(whole.includes('<a href="#size">Size and speed</a></nav>'));
  const shown = '<li>1 kB &lt; 2 kB.</li><li>Fast.</li></ul></section></main></body></html>';
  assert.ok(whole.trimEnd().endsWith(shown));
  assert.throws(() => withLaterSection('<html></html>', late), { code: 'report.markup' });
});
