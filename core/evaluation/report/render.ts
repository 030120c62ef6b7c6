import { classMetrics } from '../../metrics/classes/index.ts';
import { metrics } from '../../metrics/index.ts';
import type { MetricFacts } from '../../metrics/metric.ts';
import type { Evaluation } from '../evaluation.ts';
import { provedBetter } from '../verdict.ts';
import {
  championSection,
  dataSection,
  seedSection,
  splitSection,
  triesSection,
} from './sections.ts';
import {
  escapeHtml,
  figures,
  html,
  intervalCell,
  list,
  note,
  number4,
  percent1,
  pValue,
  section,
  signedPercent,
  STYLE,
  table,
  type Cell,
} from './html.ts';
import type { Plot } from './plots.ts';
import { barsText } from './svg.ts';

/** Sections every report has, in this order, by id. */
export const REPORT_SECTIONS = [
  ['verdict', 'Verdict'],
  ['data', 'Data and holes'],
  ['split', 'Split dates'],
  ['baselines', 'Baselines with intervals'],
  ['seeds', 'Seeds'],
  ['champion', 'Comparison with the champion'],
  ['tries', 'Number of tries'],
  ['not-tested', 'What was not tested'],
] as const;

/**
 * The evaluation for people: one self-contained HTML file (styles and charts inside, nothing loaded from
 * anywhere), the same bytes for the same evaluation. Every section is always there, empty ones say so.
 */
export function renderReport(evaluation: Evaluation, plots: readonly Plot[]): string {
  const plot = (name: string): string => figures(plots.filter((p) => p.name.startsWith(name)));
  const bodies: Record<(typeof REPORT_SECTIONS)[number][0], readonly string[]> = {
    verdict: verdictSection(evaluation),
    data: dataSection(evaluation),
    split: splitSection(evaluation),
    baselines: [...baselineSection(evaluation, plot('skill'))],
    seeds: [
      ...seedSection(evaluation),
      plot('loss-curves'),
      plot('forecast'),
      plot('residuals'),
      plot('reliability'),
    ],
    champion: championSection(evaluation),
    tries: triesSection(evaluation),
    'not-tested': [list(evaluation.notTested, 'Nothing is known to be missing.')],
  };
  const nav = REPORT_SECTIONS.map(([id, title]) => `<a href="#${id}">${title}</a>`).join('');
  const sections = REPORT_SECTIONS.map(([id, title]) => section(id, title, ...bodies[id]));
  const title = `Evaluation of ${evaluation.model}`;
  const { data, split } = evaluation;
  const good = isGoodNews(evaluation) ? ' good' : '';
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><main><header>`,
    `<h1>${escapeHtml(title)}</h1>`,
    `<p>${escapeHtml(`${evaluation.family} on ${data.instruments.join(', ')}, ${data.timeframe} bars, test part ${split.test.from} to ${split.test.to}`)}</p>`,
    `<p class="verdict${good}">${escapeHtml(evaluation.verdict)}</p><nav>${nav}</nav></header>`,
    ...sections,
    '</main></body></html>\n',
  ].join('\n');
}

/** Better than what serves now, or than naive where nothing serves. */
function isGoodNews({ champion, comparisons, tries, beatsNaive }: Evaluation): boolean {
  if (champion === null) return beatsNaive;
  return comparisons.some((c) => c.against === 'champion' && provedBetter(c, tries.level));
}

function verdictSection(evaluation: Evaluation): string[] {
  const rows = evaluation.comparisons.map((c): Cell[] => [
    c.version === null ? c.against : `champion v${c.version}`,
    intervalCell(c.servedRelativeDifference, signedPercent),
    c.relativeDifference === null ? 'n/a' : signedPercent(c.relativeDifference),
    c.test ? c.test.statistic.toFixed(2) : '-',
    c.test ? c.test.degreesOfFreedom.toFixed(1) : '-',
    c.test
      ? html(`<b>${pValue(c.test.p)}</b>`)
      : c.status === 'notFinite'
        ? 'not finite'
        : 'too little data',
    c.dieboldMariano ? pValue(c.dieboldMariano.p) : '-',
  ]);
  const { power, rows: r } = evaluation;
  const powerText = power
    ? `With ${r.timeStamps} decision times and horizons of up to ${r.longestHorizon} bars (${r.independent.toFixed(1)} independent), this test ` +
      `would have found a 5 % improvement with probability ${power.atLeast ? 'at least ' : ''}${percent1(power.reduction5)}, ` +
      `a 2 % one with ${power.atLeast ? 'at least ' : ''}${percent1(power.reduction2)}.`
    : `${r.timeStamps} decision times are ${r.independent.toFixed(1)} independent horizons of ${r.longestHorizon} bars: too little for any test (20 are needed).`;
  const warnings = evaluation.warnings.length
    ? `<h3>Warnings</h3><div class="warnings">${list(evaluation.warnings, '')}</div>`
    : '';
  return [
    table(
      [
        'Against',
        'Loss saved, served seed',
        'mean over seeds',
        'T',
        'df',
        'p (one-sided)',
        'p, Diebold-Mariano',
      ],
      rows,
    ),
    note(powerText),
    note(
      'p is the probability of such an advantage between equals: cosine long-run variance over time, and the spread over seeds. ' +
        'Diebold-Mariano with the Harvey-Leybourne-Newbold correction stands beside it for comparison and decides nothing.',
    ),
    warnings,
  ];
}

/** How a metric of an evaluation is shown; one that this release does not know, by its name alone. */
function shownMetric(name: string, classes: readonly string[] | undefined): MetricFacts {
  const catalogue: readonly MetricFacts[] = classes ? classMetrics(classes) : metrics;
  const known = catalogue.find((metric) => metric.name === name);
  return known ?? { name, title: name, docs: name, direction: 'lower', format: 'number' };
}

function baselineSection(evaluation: Evaluation, chart: string): string[] {
  const classes = evaluation.data.classes?.map(({ name }) => name);
  const quantity = classes === undefined;
  const main = quantity ? 'rmse' : 'logLoss';
  const overall = evaluation.forecasters.map((f): Cell[] => [
    f.name === 'model' ? `model (seed ${evaluation.servedSeed})` : f.name,
    intervalCell(f.weightedLoss, number4),
    ...f.byHorizon.map(({ metrics: scored }) => intervalCell(scored[main]!, number4)),
  ]);
  const tables = evaluation.data.horizons.map((horizon, k) => {
    const scored = Object.keys(evaluation.forecasters[0]?.byHorizon[k]?.metrics ?? {});
    const rows = scored.map((name): Cell[] => {
      const metric = shownMetric(name, classes);
      const format = metric.format === 'percent' ? percent1 : number4;
      const arrow = metric.direction === 'higher' ? 'higher is better' : 'lower is better';
      return [
        html(
          `<abbr title="${escapeHtml(metric.docs)}">${escapeHtml(metric.title)}</abbr><br><small>${arrow}</small>`,
        ),
        ...evaluation.forecasters.map((f) =>
          intervalCell(f.byHorizon[k]!.metrics[metric.name]!, format),
        ),
      ];
    });
    const names = evaluation.forecasters.map((f) => f.name);
    return `<h3>${barsText(horizon)} ahead</h3>${table(['Metric', ...names], rows)}`;
  });
  const weights = evaluation.lossWeights.map((w) => Number(w.toPrecision(3))).join(' / ');
  return [
    table(
      [
        'Forecast',
        'Weighted loss',
        ...evaluation.data.horizons.map((h) => `${quantity ? 'RMSE' : 'Log loss'}, ${barsText(h)}`),
      ],
      overall,
      { strongRow: 0 },
    ),
    note(
      `Weighted loss: ${quantity ? 'squared errors by the variance of the training labels' : 'log loss of the class that came'}, weights ${weights}. Intervals: 95 %, circular block bootstrap, ` +
        `2,000 resamples, the same draws for all rows of a table. Best of references and baselines: ${evaluation.bestBaseline}.`,
    ),
    chart,
    ...tables,
  ];
}
