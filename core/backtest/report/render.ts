import { figures, list, note, page } from '../../evaluation/report/html.ts';
import type { Plot } from '../../evaluation/report/plots.ts';
import { adviceSection } from './advice-section.ts';
import { ROLLING_DAYS } from './daily.ts';
import {
  allNotes,
  dataSection,
  modelSection,
  notesSection,
  notTested,
  rulesSection,
  settingsSection,
} from './fact-sections.ts';
import { againstTable, figureSection } from './figure-section.ts';
import type { BacktestReportInput } from './input.ts';
import { MONTHS_STYLE, monthsTable } from './months.ts';
import { backtestPlots, TRADES_PLOT } from './plots.ts';
import { BESIDE_CURVES, HOLD } from './result-charts.ts';
import { monteCarloSection, returnsSection, sensitivitySection } from './risk-sections.ts';
import { costSection, largestSection, tradeSection } from './trade-sections.ts';
import { verdictOf, type BacktestVerdict } from './verdict.ts';
import { closingDay, count, listText, percent } from './words.ts';
import type { BacktestResult } from '../result.ts';

/** Sections of a report of a backtest, in this order, by id. */
export const BACKTEST_SECTIONS = [
  ['verdict', 'Verdict'],
  ['figures', 'Figures'],
  ['advice', 'Advised sizes'],
  ['equity', 'Equity'],
  ['drawdown', 'Drawdown'],
  ['months', 'Returns by month'],
  ['rolling-sharpe', 'Rolling Sharpe ratio'],
  ['exposure', 'Exposure'],
  ['trades', 'Trades'],
  ['costs', 'Costs and turnover'],
  ['returns', 'Daily returns'],
  ['monte-carlo', 'Monte Carlo'],
  ['sensitivity', 'Other costs and delays'],
  ['largest-trades', 'Largest trades'],
  ['models', 'Who answered when'],
  ['data', 'Data'],
  ['settings', 'Settings of strategies'],
  ['rules', 'Rules'],
  ['notes', 'Notes'],
  ['not-tested', 'What was not tested'],
] as const;

/** Those that this one has: all, but that of advised sizes only where a strategy takes advice. */
export const sectionsOf = ({
  origin: { advice = [] },
}: BacktestReportInput): readonly (typeof BACKTEST_SECTIONS)[number][] =>
  BACKTEST_SECTIONS.filter(([id]) => id !== 'advice' || advice.length > 0);

/** On a phone, what a row is about stays in sight while its figures are scrolled. */
export const PHONE_STYLE = `
@media(max-width:600px){
.table td:first-child,.table th:first-child{position:sticky;left:0;background:#fff;min-width:104px}
.table.months td:first-child,.table.months th:first-child{min-width:0}
.table tr.strong td:first-child{background:#eff4ff}
}
`;

/**
 * A backtest for people: one self-contained HTML file (styles and charts inside, nothing loaded, nothing run), the same
 * bytes for the same input. Every section of `sectionsOf` is there; one with nothing to show says so. Its size is bounded by
 * pixels, not by rows or trades.
 */
export function renderBacktest(
  input: BacktestReportInput,
  plots: readonly Plot[] = backtestPlots(input),
): string {
  const { result } = input.strategy;
  const verdict = verdictOf(input);
  const plot = (name: string): Plot[] => plots.filter((one) => one.name === name);
  const trades = plots.filter(({ name }) => name.startsWith(TRADES_PLOT));
  const bodies: Record<(typeof BACKTEST_SECTIONS)[number][0], readonly string[]> = {
    verdict: verdictSection(input, verdict),
    figures: figureSection(input),
    advice: adviceSection(input),
    equity: equitySection(input, plot('equity')),
    drawdown: drawdownSection(result, plot('drawdown')),
    months: [
      monthsTable(result.months),
      note('Per cent after costs; blue gained, orange lost. The first month starts with the run.'),
    ],
    'rolling-sharpe': rollingSection(plot('rolling-sharpe')),
    exposure: [
      figures(plot('exposure')),
      note('Sum of absolute weights at each close: 100 % is all of equity, more is leverage.'),
    ],
    trades: tradeSection(input, trades),
    costs: costSection(input, plot('costs')),
    returns: returnsSection(result, plot('returns')),
    'monte-carlo': monteCarloSection(result, plot('monte-carlo')),
    sensitivity: sensitivitySection(result),
    'largest-trades': largestSection(input),
    models: modelSection(input),
    data: dataSection(input),
    settings: settingsSection(input),
    rules: rulesSection(input),
    notes: notesSection(input),
    'not-tested': [list(notTested(input), '')],
  };
  return page({
    title: `Backtest ${input.name}`,
    lead: [leadOf(input)],
    verdict: verdict.text,
    good: verdict.good,
    sections: sectionsOf(input).map(([id, title]) => ({ id, title, body: bodies[id] })),
    style: MONTHS_STYLE + PHONE_STYLE,
  });
}

function leadOf({ strategy: { name, result } }: BacktestReportInput): string {
  const { instruments, curve } = result;
  const names = listText(instruments.map(({ instrument }) => instrument));
  const timeframes = [...new Set(instruments.map(({ timeframe }) => timeframe))].join(', ');
  const period = `${closingDay(curve.time[0]!)} to ${closingDay(curve.time.at(-1)!)}`;
  return `${name} on ${names}, ${timeframes} bars, ${period}, ${count(result.rows)} closes`;
}

function verdictSection(input: BacktestReportInput, { against }: BacktestVerdict): string[] {
  const warnings = allNotes(input);
  return [
    againstTable(against),
    note(
      'Difference: daily Sharpe ratio of the strategy less that of the other after costs, 95 % by circular block bootstrap of the same days for both. ' +
        'Where 0 is inside, the two cannot be told apart on these bars. With many beside it, one of twenty differs by chance.',
    ),
    warnings.length > 0
      ? `<h3>Read this first</h3><div class="warnings">${list(warnings, '')}</div>`
      : '',
  ];
}

function equitySection(
  { strategy: { result }, beside }: BacktestReportInput,
  plots: readonly Plot[],
): string[] {
  const more = beside.length - BESIDE_CURVES;
  return [
    figures(plots),
    note(
      `From an initial equity of ${count(result.rules.initialEquity)} in quote currency. ${HOLD}: an equal share of equity in each instrument at its first bar, with the same costs, then untouched.`,
    ),
    more > 0 ? note(`${more} strategies beside it have no curve here.`) : '',
  ];
}

function drawdownSection(result: BacktestResult, plots: readonly Plot[]): string[] {
  const { deepestDrawdown: deepest, longestDrawdown: longest } = result;
  const spanText = (word: string, span: typeof deepest): string =>
    span === null
      ? ''
      : `${word}: ${percent(span.depth)}, from ${span.peak === null ? 'the start' : closingDay(span.peak)} ` +
        `(lowest ${closingDay(span.trough)}) ${span.open ? 'and not over at the end' : `to ${closingDay(span.end)}`}, ${count(span.bars)} rows.`;
  const same = deepest !== null && longest !== null && deepest.trough === longest.trough;
  const texts = same
    ? [spanText('Deepest and longest', deepest)]
    : [spanText('Deepest', deepest), spanText('Longest', longest)].filter(Boolean);
  return [figures(plots), texts.length > 0 ? note(texts.join(' ')) : note('Equity never fell.')];
}

function rollingSection(plots: readonly Plot[]): string[] {
  if (plots.length === 0) {
    return [note(`Not shown: it needs more than ${ROLLING_DAYS} daily returns.`)];
  }
  return [
    figures(plots),
    note(
      `Of the last ${ROLLING_DAYS} daily returns at each day, annualised. One such window says little: its 95 % interval reaches about 2 to either side.`,
    ),
  ];
}
