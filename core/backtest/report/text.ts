import { allNotes } from './fact-sections.ts';
import { figureColumns } from './figure-section.ts';
import type { BacktestReportInput } from './input.ts';
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
const NAME_WIDTH = 16;

/**
 * A backtest as lines for a terminal: the verdict (one long line, to be wrapped by whoever prints it), a table with a
 * column a strategy, the gravest notes. No line but the verdict and the notes is wider than its columns.
 */
export function backtestText(input: BacktestReportInput): readonly string[] {
  const notes = allNotes(input).map(plainText);
  const left = notes.length - NOTES_SHOWN;
  return [
    plainText(verdictOf(input).text),
    '',
    ...figureLines(input),
    ...(notes.length > 0 ? [''] : []),
    ...notes.slice(0, NOTES_SHOWN).map((note) => `- ${note}`),
    ...(left > 0 ? [`- ${left} more in the report`] : []),
  ];
}

function figureLines(input: BacktestReportInput): string[] {
  const columns = figureColumns(input);
  const metrics = SHOWN.flatMap(
    (name) => backtestMetrics.find((metric) => metric.name === name) ?? [],
  );
  const rows = [
    ['', ...columns.map(({ name }) => shortName(plainText(name), NAME_WIDTH))],
    ...metrics.map((metric) => [
      metric.title,
      ...columns.map(({ metrics: values }) => metricText(metric, values[metric.name])),
    ]),
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  '),
  );
}

/** Names come from outside: none moves the cursor or colours what follows. */
const plainText = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');
