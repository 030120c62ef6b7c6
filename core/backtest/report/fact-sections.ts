/** Where a backtest comes from, by which rules it ran, and what it does not tell. */
import {
  escapeHtml,
  facts,
  html,
  list,
  note,
  table,
  type Cell,
} from '../../evaluation/report/html.ts';
import type { BacktestReportInput, ModelAnswers } from './input.ts';
import { CURVE_PIXELS } from './time-chart.ts';
import { costTexts, ruleEntries } from './rule-words.ts';
import { knewItsPeriod } from './model-answers.ts';
import { settingEntries } from './settings.ts';
import { count, dayText, listText, timeText } from './words.ts';

/** Rows of the tables of instruments and of versions. */
const ROWS_MAX = 200;

export function modelSection({ origin: { models = [] } }: BacktestReportInput): readonly string[] {
  if (models.length === 0) return [note('No version of a model is recorded as having answered.')];
  const rows = models.slice(0, ROWS_MAX).map((one): Cell[] => {
    const { answers } = one;
    return [
      one.version,
      unbroken(timeText(one.from)),
      unbroken(timeText(one.to)),
      one.trainedThrough === undefined ? 'not recorded' : unbroken(timeText(one.trainedThrough)),
      answers === undefined ? '-' : count(answers.asked),
      answers === undefined ? '-' : count(answers.failed),
      knownCell(one),
      one.instruments === undefined ? '-' : listText(one.instruments, 3),
    ];
  });
  const left = models.length - rows.length;
  const head = ['Version', 'Answered from', 'To', 'Trained through', 'Answers', 'Failed'];
  return [
    table([...head, 'Knew only its past', 'Instruments'], rows, {
      textColumns: [0, 1, 2, 3, 6, 7],
    }),
    left > 0 ? note(`${left} more answered later.`) : '',
  ];
}

function knownCell(one: ModelAnswers): Cell {
  const { answers, trainedThrough } = one;
  if (!knewItsPeriod(one)) {
    return answers === undefined && trainedThrough === undefined ? 'not recorded' : 'yes';
  }
  const share =
    answers !== undefined && answers.inSample > 0
      ? `${count(answers.inSample)} answers were about bars it had learnt from`
      : 'it had seen bars that it answered for';
  return html(`<b>no: ${escapeHtml(share)}</b>`);
}

/** A date stays in one line on a phone. */
const unbroken = (date: string): Cell => html(`<span class="name">${date}</span>`);
const code = (text: string): Cell => html(`<code>${escapeHtml(text)}</code>`);
const short = (digest: string): Cell =>
  html(`<code title="${escapeHtml(digest)}">${escapeHtml(digest.slice(0, 16))}</code>`);

export function dataSection({ strategy, origin }: BacktestReportInput): readonly string[] {
  const { instruments } = strategy.result;
  const hashes = new Map((origin.data ?? []).map(({ instrument, hash }) => [instrument, hash]));
  const rows = instruments.slice(0, ROWS_MAX).map((one): Cell[] => {
    const hash = hashes.get(one.instrument);
    return [
      one.instrument,
      one.timeframe,
      one.calendar,
      unbroken(dayText(one.from)),
      unbroken(dayText(one.to)),
      count(one.bars),
      one.hypothetical ? 'no' : 'yes',
      hash === undefined ? '-' : short(hash),
    ];
  });
  const left = instruments.length - rows.length;
  return [
    table(
      ['Instrument', 'Bars of', 'Calendar', 'First', 'Last', 'Bars', 'Can be traded', 'Dataset'],
      rows,
      { textColumns: [0, 1, 2, 3, 4, 6, 7] },
    ),
    left > 0 ? note(`${left} more instruments.`) : '',
    '<h3>Code and spec</h3>',
    facts([
      ['Code version', code(origin.codeVersion ?? 'not recorded')],
      ['Spec', origin.specHash === undefined ? 'not recorded' : short(origin.specHash)],
    ]),
  ];
}

export function settingsSection({
  strategy,
  beside,
  origin,
}: BacktestReportInput): readonly string[] {
  const parts = [strategy, ...beside].flatMap(({ name }) => {
    const entries = settingEntries(origin, name);
    return entries === undefined ? [] : [`<h3>${escapeHtml(name)}</h3>`, facts(entries)];
  });
  return parts.length === 0
    ? [note('Settings of the strategies of this backtest are not recorded.')]
    : [...parts, note('As a spec writes them, with every default filled in.')];
}

export function rulesSection({ strategy: { result } }: BacktestReportInput): readonly string[] {
  return [
    facts(ruleEntries(result.rules)),
    '<h3>Costs a side</h3>',
    list(costTexts(result), 'None.'),
    note(
      'A decision at the close of a bar knows that bar and those before it and fills no earlier than the next one. Inside a bar a stop is taken before any gain.',
    ),
  ];
}

/** What a reader is to be told, the gravest first: warnings, then the result's own notes. */
export const allNotes = ({ strategy, origin }: BacktestReportInput): readonly string[] => [
  ...(origin.warnings ?? []),
  ...strategy.result.notes,
];

export function notesSection(input: BacktestReportInput): readonly string[] {
  const { curve, barsPerYear } = input.strategy.result;
  const rows = curve.time.length;
  return [
    list(allNotes(input), 'Nothing stands out.'),
    rows > 4 * CURVE_PIXELS
      ? note(
          `Curves have ${count(rows)} rows and ${CURVE_PIXELS} pixels: of each pixel the first, the lowest, the highest and the last value are drawn, so that no extreme is lost. The CSV has all rows.`,
        )
      : note(`Curves show every one of ${count(rows)} rows (${count(barsPerYear)} a year).`),
  ];
}

/** What this kind of backtest never shows, and what this one left out. */
export function notTested(input: BacktestReportInput): readonly string[] {
  const { result } = input.strategy;
  const { models = [], data = [] } = input.origin;
  return [
    'Market impact and liquidity: every order fills whole, however large, at the price of the bar worsened by the declared costs.',
    'The way inside a bar: only its open, high, low and close are known; where two stops lie in one bar their order is assumed.',
    ...(result.instruments.some(({ lateMs = 0 }) => lateMs > 0)
      ? [
          'The first moments of a bar: fills at its open are taken for those once the bar before is known.',
        ]
      : []),
    'Taxes, and dividends where the bars do not hold them.',
    'Survivorship: instruments that were delisted are missing unless they were named.',
    'Other times: what held on these bars need not hold on the next.',
    ...(result.tries.count === 1
      ? ['Other tries: if settings were chosen on these bars, the figures are too good.']
      : []),
    ...(result.monteCarlo === null ? ['Monte Carlo: not run.'] : []),
    ...(result.sensitivity === null ? ['Other costs and later fills: not run.'] : []),
    ...(input.beside.length === 0 ? ['Other strategies: none stands beside it.'] : []),
    ...(models.length === 0
      ? ['Which version of a model answered when: nothing is recorded.']
      : []),
    ...(data.length === 0 ? ['Which data it ran on: no hashes are recorded.'] : []),
  ];
}
