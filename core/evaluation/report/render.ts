import type { Evaluation } from '../evaluation.ts';
import { provedBetter } from '../verdict.ts';
import { againParts } from './again-section.ts';
import { classSection } from './class-section.ts';
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
  page,
  percent1,
  pValue,
  signedPercent,
  table,
  type Cell,
} from './html.ts';
import { importanceSection } from './importance-section.ts';
import type { Plot } from './plots.ts';
import { searchSection } from './search-section.ts';
import { shownMetric } from './shown-metric.ts';
import { sliceSection } from './slice-section.ts';
import { barsText } from './svg.ts';

/** Sections every report has, in this order, by id. */
export const REPORT_SECTIONS = [
  ['verdict', 'Verdict'],
  ['data', 'Data and holes'],
  ['split', 'Split dates'],
  ['baselines', 'Baselines with intervals'],
  ['slices', 'Slices'],
  ['seeds', 'Seeds'],
  ['champion', 'Comparison with the champion'],
  ['tries', 'Number of tries'],
  ['not-tested', 'What was not tested'],
] as const;

/** Sections that only some models have, each after the one it is named with. */
const OPTIONAL_SECTIONS = {
  classes: { title: 'Classes and calibration', after: 'baselines' },
  importance: { title: 'Features that took part', after: 'slices' },
  search: { title: 'Search of hyperparameters', after: 'tries' },
} as const;
const OPTIONAL_IDS = ['classes', 'importance', 'search'] as const;
const CLASS_PLOTS = ['confusion', 'calibration'] as const;

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
    baselines: baselineSection(evaluation, plot('skill')),
    slices: sliceSection(evaluation, plot('slices')),
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
  const optional: Record<keyof typeof OPTIONAL_SECTIONS, readonly string[] | undefined> = {
    classes:
      evaluation.classFigures &&
      classSection(evaluation, (horizon) =>
        figures(plots.filter(({ name }) => CLASS_PLOTS.some((of) => name === `${of}-${horizon}`))),
      ),
    importance: evaluation.importance && importanceSection(evaluation.importance, plots),
    search: evaluation.search && searchSection(evaluation.search, plot('search')),
  };
  const shown = REPORT_SECTIONS.flatMap(([id, title]) => [
    { id, title, body: bodies[id] },
    ...OPTIONAL_IDS.flatMap((of) => {
      const body = optional[of];
      const { title: own, after } = OPTIONAL_SECTIONS[of];
      return after === id && body ? [{ id: of, title: own, body }] : [];
    }),
  ]);
  const { again } = evaluation;
  const judged = again ? `, version ${again.version} judged again` : '';
  const { data, split, folds, members } = evaluation;
  const tested = folds ? `test parts ${folds[0]!.test.from}` : `test part ${split.test.from}`;
  return page({
    title: `Evaluation of ${evaluation.model}${judged}`,
    lead: [
      `${evaluation.family} on ${data.instruments.join(', ')}, ${data.timeframe} bars, ${tested} to ${split.test.to}`,
      ...(members ? [`Made of ${members.join('; ')}.`] : []),
    ],
    verdict: evaluation.verdict,
    good: isGoodNews(evaluation),
    sections: shown,
  });
}

/** Better than what serves now, or than the naive baseline where nothing serves. */
function isGoodNews({ champion, comparisons, tries, beatsNaive, again }: Evaluation): boolean {
  // Whoever chooses the rows, and looks as often as he likes, has proved nothing.
  if (again !== undefined) return false;
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
    ...(evaluation.again ? [warnings, ...againParts(evaluation)] : []),
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
    evaluation.again ? '' : warnings,
  ];
}

const modelName = ({ serve, seeds, servedSeed, again }: Evaluation): string =>
  serve === 'seedEnsemble'
    ? `mean of ${(again?.seeds ?? seeds).length} seeds`
    : `model (seed ${servedSeed})`;

function baselineSection(evaluation: Evaluation, chart: string): string[] {
  const classes = evaluation.data.classes?.map(({ name }) => name);
  const quantity = classes === undefined;
  const main = quantity ? 'rmse' : 'logLoss';
  const overall = evaluation.forecasters.map((f): Cell[] => [
    f.name === 'model' ? modelName(evaluation) : f.name,
    intervalCell(f.weightedLoss, number4),
    ...f.byHorizon.map(({ metrics: scored }) => intervalCell(scored[main]!, number4)),
  ]);
  const tables = evaluation.data.horizons.map((horizon, k) => {
    const scored = Object.keys(evaluation.forecasters[0]?.byHorizon[k]?.metrics ?? {});
    const shown = scored.map((name) => shownMetric(name, classes));
    // What is about one class stands in a table of classes.
    const rows = shown
      .filter(({ ofClass }) => ofClass === undefined)
      .map((metric): Cell[] => {
        const arrow = metric.direction === 'higher' ? 'higher is better' : 'lower is better';
        return [
          html(
            `<abbr title="${escapeHtml(metric.docs)}">${escapeHtml(metric.title)}</abbr><br><small>${arrow}</small>`,
          ),
          ...evaluation.forecasters.map((f) =>
            intervalCell(f.byHorizon[k]!.metrics[metric.name]!, metric.show),
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
