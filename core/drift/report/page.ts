/** The drift report for people: one self-contained HTML file. */
import {
  escapeHtml,
  facts,
  figures,
  list,
  note,
  number4,
  percent1,
  pValue,
  section,
  STYLE,
  table,
} from '../../evaluation/report/html.ts';
import type { Plot } from '../../evaluation/report/plots.ts';
import { driftTests } from '../catalogue.ts';
import type {
  ColumnDrift,
  DriftReport,
  InputDrift,
  PredictionDrift,
  QualityDrift,
  Staleness,
} from '../schemas.ts';
import { driftPlots } from './plots.ts';

/** Sections every report has, in this order, by id. */
export const DRIFT_SECTIONS = [
  ['verdict', 'Verdict'],
  ['losses', 'Losses'],
  ['inputs', 'Inputs'],
  ['predictions', 'Forecasts'],
  ['quality', 'Data quality'],
  ['staleness', 'Age'],
  ['method', 'How it is judged'],
] as const;

/** Features in a table; all of them stand in the JSON of the report. */
const LISTED_FEATURES = 40;

/**
 * Styles and charts inside, nothing loaded from anywhere; the same bytes for the same report. Every section is always
 * there, empty ones say so.
 */
export function renderDriftReport(report: DriftReport): string {
  const plots = driftPlots(report);
  const bodies: Record<(typeof DRIFT_SECTIONS)[number][0], readonly string[]> = {
    verdict: [list(report.words.slice(1), 'There is nothing to say.')],
    losses: lossSection(report, plots),
    inputs: named(report.inputs, 'No inputs were looked at.', ({ drift, instrument }) =>
      inputSection(drift, plotOf(plots, `inputs-${instrument}`)),
    ),
    predictions: named(report.predictions, 'No forecasts were looked at.', (entry) =>
      predictionSection(entry.drift, plotOf(plots, `predictions-${entry.instrument}`)),
    ),
    quality: named(report.quality, 'No bars were looked at.', ({ drift }) => qualitySection(drift)),
    staleness: named(report.staleness, 'No ages were looked at.', ({ staleness }) => [
      stalenessFacts(staleness),
    ]),
    method: methodSection(report),
  };
  const nav = DRIFT_SECTIONS.map(([id, title]) => `<a href="#${id}">${title}</a>`).join('');
  const sections = DRIFT_SECTIONS.map(([id, title]) => section(id, title, ...bodies[id]));
  const title = `Drift of ${report.model}, version ${report.version}`;
  const good = report.verdict === 'none' ? ' good' : '';
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><main><header>`,
    `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(`as of ${minutes(report.asOf)} UTC, market time`)}</p>`,
    `<p class="verdict${good}">${escapeHtml(report.words[0]!)}</p><nav>${nav}</nav></header>`,
    ...sections,
    '</main></body></html>\n',
  ].join('\n');
}

const minutes = (time: string): string => time.slice(0, 16).replace('T', ' ');

const plotOf = (plots: readonly Plot[], name: string): string =>
  figures(plots.filter((plot) => plot.name === name));

/** One part an instrument, with its name above where there are several. */
function named<T extends { readonly instrument: string }>(
  entries: readonly T[],
  empty: string,
  body: (entry: T) => readonly string[],
): readonly string[] {
  if (entries.length === 0) return [`<p>${escapeHtml(empty)}</p>`];
  return entries.flatMap((entry) => [
    ...(entries.length > 1 ? [`<h3>${escapeHtml(entry.instrument)}</h3>`] : []),
    ...body(entry),
  ]);
}

function lossSection({ performance }: DriftReport, plots: readonly Plot[]): readonly string[] {
  if (!performance) return ['<p>No forecast has been settled yet.</p>'];
  const { calibration, state } = performance;
  if (calibration.status === 'notCalibrated') {
    return [`<p>${escapeHtml(`Not calibrated: ${calibration.reason}.`)}</p>`];
  }
  return [
    facts([
      ['Sum now', number4(state.s)],
      ['Threshold', number4(calibration.c)],
      ['Alarm in an unchanged year', percent1(calibration.rate)],
      ['Losses it is calibrated on', String(calibration.values)],
      ['Allowance k', number4(calibration.k)],
      ['Mean and SD of a loss', `${number4(calibration.mean0)}, ${number4(calibration.sd0)}`],
      ['Losses watched since', String(state.values)],
      ['Alarms so far', String(state.alarms)],
    ]),
    plotOf(plots, 'cusum'),
    plotOf(plots, 'calibration'),
  ];
}

function inputSection(drift: InputDrift, plot: string): readonly string[] {
  if (drift.verdict === 'notEnoughHistory') return [historyNote(drift)];
  const { classifier, share, features, window, earlierWindows } = drift;
  const sorted = [...features].sort((a, b) => (a.p ?? 2) - (b.p ?? 2));
  return [
    facts([
      ['Window', `${window.rows} rows, ${shortSpan(window.from, window.to)}`],
      ['Earlier windows', String(earlierWindows)],
      ['Features in the top 5 %', share === null ? 'n/a' : percent1(share)],
      [
        "Classifier's AUC",
        classifier
          ? `${number4(classifier.auc)} (95 % of earlier ones: at most ${number4(classifier.limit)})`
          : 'not asked: fewer than 20 % of the features stand out',
      ],
    ]),
    plot,
    featureTable(sorted.slice(0, LISTED_FEATURES)),
    ...(sorted.length > LISTED_FEATURES
      ? [note(`The ${LISTED_FEATURES} highest of ${sorted.length} features.`)]
      : []),
  ];
}

function predictionSection(drift: PredictionDrift, plot: string): readonly string[] {
  if (drift.verdict === 'notEnoughHistory') return [historyNote(drift)];
  const together = facts([
    ['All horizons together, p', drift.p === null ? 'n/a' : pValue(drift.p)],
  ]);
  return [together, plot, featureTable(drift.horizons)];
}

const shortSpan = (from: string | null, to: string | null): string =>
  `${from?.slice(0, 10) ?? '?'} to ${to?.slice(0, 10) ?? '?'}`;

const historyNote = (drift: {
  readonly earlierWindows: number;
  readonly earlierWindowsNeeded: number;
}): string =>
  `<p>Not judged: ${drift.earlierWindows} earlier windows to compare with, ${drift.earlierWindowsNeeded} are needed.</p>`;

function featureTable(columns: readonly ColumnDrift[]): string {
  // The table is as wide as the page: a column that says nothing would push the last one out of sight.
  const gaps = columns.some(({ missing }) => missing > 0);
  const rows = columns.map(({ name, statistics, p, missing }) => [
    name,
    ...driftTests.map((test) => {
      const found = statistics[test.name];
      return found ? `${number4(found.value)} (p ${pValue(found.p)})` : '';
    }),
    p === null ? 'n/a' : pValue(p),
    ...(gaps ? [missing > 0 ? percent1(missing) : ''] : []),
  ]);
  const titles = driftTests.map(({ title }) => title);
  const head = ['Column', ...titles, 'p, together', ...(gaps ? ['Missing'] : [])];
  return table(head, rows);
}

function qualitySection(drift: QualityDrift): readonly string[] {
  const rows = drift.findings.map(({ rule, severity, rows: found, usual, message }) => [
    rule,
    severity,
    message,
    String(found),
    usual === null ? 'n/a' : number4(usual),
  ]);
  return [
    facts([
      ['Score of the newest bars', drift.score.toFixed(3)],
      ['Usual score', drift.usualScore === null ? 'n/a' : drift.usualScore.toFixed(3)],
      ['p', drift.p === null ? `n/a (${drift.earlierWindows} earlier windows)` : pValue(drift.p)],
    ]),
    rows.length === 0
      ? note('No rule found anything in the newest bars.')
      : table(['Rule', 'Severity', 'What', 'Rows', 'Usually'], rows, { textColumns: [0, 1, 2] }),
  ];
}

function stalenessFacts(staleness: Staleness): string {
  const { newestBar, lagBars, expiresAfter, trainedThrough, ageSessions, maxAge } = staleness;
  return facts([
    ['Newest bar', minutes(newestBar)],
    ['Bars late', `${lagBars} (${expiresAfter} allowed)`],
    ['Learnt through', trainedThrough === null ? 'not on record' : minutes(trainedThrough)],
    ['Age in sessions', ageSessions === null ? 'n/a' : `${ageSessions} (${maxAge} allowed)`],
  ]);
}

function methodSection({ correction }: DriftReport): readonly string[] {
  return [
    list(
      [
        "Losses are squared errors in units of the market's variance. A sum grows while they are above their own usual level, and alarms beyond a threshold that bootstrapped years of the same model set.",
        'Inputs and forecasts are compared with the four windows before them. A distance counts as large by its rank among the same distances of earlier windows, never by a textbook p-value: bars depend on their neighbours.',
        correction,
      ],
      '',
    ),
    table(
      ['Drift test', 'Columns', 'What it is'],
      driftTests.map(({ title, kind, docs }) => [title, kind, docs]),
      { textColumns: [0, 1, 2] },
    ),
  ];
}
