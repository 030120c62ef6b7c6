import { escapeHtml, html, note, table, type Cell } from '../../evaluation/report/html.ts';
import type { Interval } from '../../metrics/bootstrap.ts';
import type { BacktestReportInput } from './input.ts';
import { HOLD } from './result-charts.ts';
import { range, type Against } from './verdict.ts';
import { count, metricText, shownMetrics, signedRatio } from './words.ts';

/** Results beside the first that a table has columns for. */
export const BESIDE_COLUMNS = 8;

const DIRECTIONS = {
  higher: { words: ' Higher is better.', mark: ' <small>↑</small>' },
  lower: { words: ' Lower is better.', mark: ' <small>↓</small>' },
  none: { words: '', mark: '' },
} as const;

/** A column of figures by metric. */
export interface FigureColumn {
  readonly name: string;
  readonly metrics: Readonly<Record<string, number | null>>;
}

/** The columns of the table of figures. */
export function figureColumns({
  strategy,
  beside,
}: Pick<BacktestReportInput, 'strategy' | 'beside'>): readonly FigureColumn[] {
  const { name, result } = strategy;
  return [
    { name, metrics: result.metrics },
    { name: 'without costs', metrics: result.withoutCosts },
    { name: HOLD, metrics: result.buyAndHold },
    ...beside
      .slice(0, BESIDE_COLUMNS)
      .map((other) => ({ name: other.name, metrics: other.result.metrics })),
  ];
}

export function figureTable(columns: readonly FigureColumn[]): string {
  const rows = shownMetrics(columns).map((metric): Cell[] => {
    const { words, mark } = DIRECTIONS[metric.direction];
    const docs = escapeHtml(metric.docs + words);
    return [
      html(`<abbr title="${docs}">${escapeHtml(metric.title)}</abbr>${mark}`),
      ...columns.map(({ metrics }, i): Cell => {
        const text = escapeHtml(metricText(metric, metrics[metric.name]));
        return html(i === 0 ? `<b>${text}</b>` : text);
      }),
    ];
  });
  return table(['Figure', ...columns.map(({ name }) => name)], rows);
}

export function figureSection(input: BacktestReportInput): readonly string[] {
  const { result } = input.strategy;
  const left = input.beside.length - BESIDE_COLUMNS;
  const tries = result.tries.count;
  return [
    figureTable(figureColumns(input)),
    note(
      `↑ higher is better, ↓ lower is better. All after costs but for "without costs". ${count(result.barsPerYear)} rows and ${count(result.daysPerYear)} days a year; ` +
        `risk-free ${metricText({ format: 'percent' }, result.riskFreePerYear)} a year. n/a: not defined, or too little of it. ` +
        `The deflated Sharpe ratio counts ${tries === 1 ? 'one try, this one' : `${tries} tries`}.`,
    ),
    left > 0 ? note(`${left} more strategies beside it have no column.`) : '',
  ];
}

export function againstTable(against: readonly Against[]): string {
  const rows = against.map(({ name, metrics, difference, sameBars }): Cell[] => [
    name,
    metricText({ format: 'percent' }, metrics['annualReturn']),
    metricText({ format: 'number' }, metrics['sharpe']),
    differenceCell(difference),
    sameBars ? wordOf(difference) : 'other bars',
  ]);
  return table(
    ['Against', 'Its return a year', 'Its Sharpe ratio', 'Difference of Sharpe ratios', 'So'],
    rows,
    { textColumns: [0, 4] },
  );
}

/** The difference with its interval below. */
export function differenceCell({ value, low, high, tooFewBlocks }: Interval): Cell {
  if (value === null) return 'n/a';
  const interval = low === null || high === null ? 'no interval' : range(low, high, signedRatio);
  const few = tooFewBlocks ? ', few days' : '';
  return html(`<b>${signedRatio(value)}</b><br><small>${interval}${few}</small>`);
}

function wordOf({ value, low, high }: Interval): string {
  if (value === null || low === null || high === null) return 'not known';
  return low > 0 ? 'better' : high < 0 ? 'worse' : 'no clear difference';
}
