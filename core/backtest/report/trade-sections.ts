/** What is said of trades: charts, costs by year, the largest ones. */
import { facts, figures, html, note, table, type Cell } from '../../evaluation/report/html.ts';
import type { Plot } from '../../evaluation/report/plots.ts';
import type { BacktestResult } from '../result.ts';
import type { BacktestReportInput } from './input.ts';
import { chartedInstruments, MARKED_TRADES_MAX, wasStopped } from './price-chart.ts';
import { count, metricText, money, percent, price, signedPercent, timeText } from './words.ts';

type Trade = BacktestResult['trades'][number];

/** Rows of the list of trades and of the table by instrument. */
const LARGEST_TRADES = 20;
const INSTRUMENT_ROWS = 40;
const BEST_TRADES = 5;

export function tradeSection(
  { strategy: { result }, closes }: BacktestReportInput,
  plots: readonly Plot[],
): readonly string[] {
  const { trades, instruments } = result;
  if (trades.length === 0) return [note('Nothing was ever bought or sold.')];
  const charted = chartedInstruments(result, closes);
  const thinned = charted.filter(
    ({ instrument }) =>
      trades.filter((trade) => trade.instrument === instrument).length > MARKED_TRADES_MAX,
  );
  const without = instruments.length - charted.length;
  return [
    figures(plots),
    note(
      'Marks stand at the mean prices of entry and exit. The strip at the bottom tells, for every trade, when it was long (blue) or short (orange).',
    ),
    thinned.length > 0
      ? note(
          `Marks of ${thinned.length === 1 ? thinned[0]!.instrument : `${thinned.length} instruments`} are thinned: more than ${MARKED_TRADES_MAX} trades; of each of ` +
            `${MARKED_TRADES_MAX / 2} equal stretches of time the two that won or lost most are marked. The CSV has all.`,
        )
      : '',
    without > 0 ? note(`${without} of ${instruments.length} instruments have no chart here.`) : '',
    ...(instruments.length > 1 ? [instrumentTable(result)] : []),
    exitTable(trades),
  ];
}

interface Sums {
  trades: number;
  gross: number;
  costs: number;
  net: number;
  wins: number;
}

function sumsBy(trades: readonly Trade[], keyOf: (trade: Trade) => string): Map<string, Sums> {
  const all = new Map<string, Sums>();
  for (const trade of trades) {
    const key = keyOf(trade);
    const sums = all.get(key) ?? { trades: 0, gross: 0, costs: 0, net: 0, wins: 0 };
    sums.trades++;
    sums.gross += trade.grossPnl;
    sums.costs += trade.costs;
    sums.net += trade.netPnl;
    if (trade.netPnl > 0) sums.wins++;
    all.set(key, sums);
  }
  return all;
}

const SUM_HEAD = ['Trades', 'Won', 'Before costs', 'Costs', 'After costs'];
const sumCells = ({ trades, wins, gross, costs, net }: Sums): Cell[] => [
  count(trades),
  percent(wins / trades),
  money(gross),
  money(costs),
  money(net),
];

function instrumentTable({ trades, instruments }: BacktestResult): string {
  const sums = sumsBy(trades, ({ instrument }) => instrument);
  const rows = [...sums].toSorted(([, a], [, b]) => Math.abs(b.net) - Math.abs(a.net));
  const shown = rows.slice(0, INSTRUMENT_ROWS).map(([name, of]): Cell[] => [name, ...sumCells(of)]);
  const left = rows.length - shown.length;
  const idle = instruments.length - rows.length;
  return [
    '<h3>By instrument</h3>',
    table(['Instrument', ...SUM_HEAD], shown),
    left > 0 ? note(`${left} more, each with less won or lost.`) : '',
    idle > 0 ? note(`${idle} instruments were never traded.`) : '',
  ].join('');
}

function exitTable(trades: readonly Trade[]): string {
  const words: Record<NonNullable<Trade['exitReason']> | 'open', string> = {
    signal: 'by the strategy',
    stopLoss: 'stop-loss',
    trailingStop: 'trailing stop',
    takeProfit: 'take profit',
    emergency: 'emergency',
    ruin: 'ruin',
    open: 'still open, at the last close',
  };
  const sums = sumsBy(trades, ({ side, exitReason }) => `${side}: ${words[exitReason ?? 'open']}`);
  const rows = [...sums]
    .toSorted(([, a], [, b]) => b.trades - a.trades)
    .map(([name, of]): Cell[] => [name, ...sumCells(of)]);
  return `<h3>How they ended</h3>${table(['Ended', ...SUM_HEAD], rows)}`;
}

export function costSection(
  { strategy: { result } }: BacktestReportInput,
  plots: readonly Plot[],
): readonly string[] {
  const { metrics, withoutCosts, trades, rules } = result;
  const figure = (name: string, format: 'percent' | 'number'): string =>
    metricText({ format }, metrics[name]);
  const taken = (withoutCosts['totalReturn'] ?? 0) - (metrics['totalReturn'] ?? 0);
  const ended = trades.filter(({ open }) => !open);
  const mean = (of: (trade: Trade) => number): number =>
    ended.reduce((sum, trade) => sum + of(trade), 0) / ended.length;
  const byYear = sumsBy(trades, ({ exitTime }) => timeText(exitTime).slice(0, 4));
  const rows = [...byYear]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([year, of]): Cell[] => [year, ...sumCells(of)]);
  return [
    facts([
      ['Costs paid, of the initial equity', figure('costsPaid', 'percent')],
      ['Total return that costs took', percent(taken)],
      ['Turnover a year', figure('turnover', 'number')],
      ['Time in the market', figure('timeInMarket', 'percent')],
      ['Costs a trade', ended.length > 0 ? money(mean(({ costs }) => costs)) : 'n/a'],
      ['Bars held, mean', ended.length > 0 ? mean((trade) => trade.barsHeld).toFixed(1) : 'n/a'],
    ]),
    plots.length > 0 ? figures(plots) : '',
    rows.length > 0
      ? `<h3>By the year in which trades ended</h3>${table(['Year', ...SUM_HEAD], rows)}`
      : note('No trades: no costs.'),
    note(
      'A turnover of 1 is all of equity bought and sold once a year. Money is in quote currency; costs are fees, slippage, half the spread and the borrowing of shorts.' +
        (rules.financingBpsPerYear > 0
          ? ' The financing of negative cash belongs to no trade and stands in the costs paid alone.'
          : ''),
    ),
    rules.costScale === 1 ? '' : note(`All costs are taken times ${rules.costScale}.`),
  ];
}

export function largestSection({ strategy: { result } }: BacktestReportInput): readonly string[] {
  const { trades } = result;
  if (trades.length === 0) return [note('There are no trades to list.')];
  const sorted = trades.toSorted(
    (a, b) => Math.abs(b.netPnl) - Math.abs(a.netPnl) || a.entryTime - b.entryTime,
  );
  const shown = sorted.slice(0, LARGEST_TRADES);
  const rows = shown.map((trade): Cell[] => [
    trade.instrument,
    trade.side,
    html(`<span class="name">${timeText(trade.entryTime)}</span>`),
    html(`<span class="name">${timeText(trade.exitTime)}</span>`),
    price(trade.entryPrice),
    price(trade.exitPrice),
    money(trade.netPnl),
    signedPercent(trade.netReturn),
    count(trade.barsHeld),
    trade.open ? 'open' : wasStopped(trade) ? 'stopped' : 'signal',
  ]);
  return [
    table(
      [
        'Instrument',
        'Side',
        'Entry',
        'Exit',
        'Price in',
        'Price out',
        'After costs',
        'Return',
        'Bars',
        'End',
      ],
      rows,
      { textColumns: [0, 1, 2, 3, 9] },
    ),
    trades.length > shown.length
      ? note(
          `The ${shown.length} largest of ${count(trades.length)} trades by what they won or lost.`,
        )
      : '',
    note(bestTradesText(trades)),
  ];
}

/** How much of the profit a handful of trades made. */
function bestTradesText(trades: readonly Trade[]): string {
  const pnl = trades.map(({ netPnl }) => netPnl);
  const total = pnl.reduce((a, b) => a + b, 0);
  const best = pnl
    .toSorted((a, b) => b - a)
    .slice(0, BEST_TRADES)
    .filter((value) => value > 0);
  const won = best.reduce((a, b) => a + b, 0);
  if (best.length === 0) return 'No trade won anything.';
  return `All trades together: ${money(total)}; without the best ${best.length}: ${money(total - won)}.`;
}
