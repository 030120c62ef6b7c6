import { allNotes } from './fact-sections.ts';
import { figureColumns } from './figure-section.ts';
import type { BacktestReportInput } from './input.ts';
import { settingEntries } from './settings.ts';
import { verdictOf } from './verdict.ts';
import { metricText, shortName } from './words.ts';
import { backtestMetrics } from '../metrics/index.ts';

/** What a terminal shows: a screen, not the catalogue. */
const SHOWN = [
  'totalReturn',
  'annualReturn',
  'volatility',
  'sharpe',
  'sortino',
  'calmar',
  'maxDrawdown',
  'winRate',
  'profitFactor',
  'trades',
  'turnover',
  'exposure',
  'costsPaid',
  'deflatedSharpe',
] as const;
const NOTES_SHOWN = 5;
const SETTINGS_SHOWN = 5;
const NAME_WIDTH = 16;
const GAP = '  ';
/** The strategy with and without costs, and buy-and-hold. */
const OWN_COLUMNS = 3;

/**
 * A backtest as lines for a terminal: the verdict (one long line, to be wrapped by whoever prints it), a table with a
 * column a strategy, the gravest notes, the settings of the first strategies (long lines, too). The table is `width` characters wide at most: strategies that it has no room for
 * are counted below it.
 */
export function backtestText(input: BacktestReportInput, width = 100): readonly string[] {
  const notes = allNotes(input).map(plainText);
  const left = notes.length - NOTES_SHOWN;
  return [
    plainText(verdictOf(input).text),
    '',
    ...figureLines(input, width),
    ...(notes.length > 0 ? [''] : []),
    ...notes.slice(0, NOTES_SHOWN).map((note) => `- ${note}`),
    ...(left > 0 ? [`- ${left} more in the report`] : []),
    ...settingLines(input),
  ];
}

function settingLines({ strategy, beside, origin }: BacktestReportInput): string[] {
  const lines = [strategy, ...beside].flatMap(({ name }) => {
    const entries = settingEntries(origin, name);
    if (entries === undefined) return [];
    return [`${name}: ${entries.map(([path, value]) => `${path} ${value}`).join(', ')}`];
  });
  if (lines.length === 0) return [];
  const left = lines.length - SETTINGS_SHOWN;
  return [
    '',
    ...lines.slice(0, SETTINGS_SHOWN).map((line) => `Settings of ${plainText(line)}`),
    ...(left > 0 ? [`Settings of ${left} more in the report`] : []),
  ];
}

function figureLines(input: BacktestReportInput, width: number): string[] {
  const metrics = SHOWN.flatMap(
    (name) => backtestMetrics.find((metric) => metric.name === name) ?? [],
  );
  const first = padded(['', ...metrics.map(({ title }) => title)], 'padEnd');
  const columns = figureColumns(input).map(({ name, metrics: values }) =>
    padded(
      [
        shortName(plainText(name), NAME_WIDTH),
        ...metrics.map((metric) => metricText(metric, values[metric.name])),
      ],
      'padStart',
    ),
  );
  let used = first[0]!.length;
  const fitting = columns.filter(([name]) => (used += GAP.length + name!.length) <= width);
  const left = input.beside.length + OWN_COLUMNS - fitting.length;
  return [
    ...first.map((title, row) => [title, ...fitting.map((column) => column[row]!)].join(GAP)),
    ...(left > 0 ? [`${left} more in the report`] : []),
  ];
}

/** Cells as wide as the widest of them. */
function padded(cells: readonly string[], how: 'padStart' | 'padEnd'): string[] {
  const width = Math.max(...cells.map(({ length }) => length));
  return cells.map((cell) => cell[how](width));
}

/** Names come from outside: none moves the cursor or colours what follows. */
const plainText = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');
