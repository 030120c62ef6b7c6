/** How bad a day can be, how far the figures are luck of the order, and what other costs and delays do to them. */
import { facts, figures, note, table, type Cell } from '../../evaluation/report/html.ts';
import type { Plot } from '../../evaluation/report/plots.ts';
import type { BacktestResult } from '../result.ts';
import { bandRows, dailySpread } from './returns-chart.ts';
import { count, metricText, percent, signedPercent } from './words.ts';

const percentOf = (value: number | null | undefined): string =>
  metricText({ format: 'percent' }, value);

export function returnsSection(result: BacktestResult, plots: readonly Plot[]): readonly string[] {
  const spread = dailySpread(result);
  if (spread === undefined) {
    return [note('Fewer than 20 daily returns, or none that moved: there is no spread to show.')];
  }
  const { metrics } = result;
  return [
    figures(plots),
    facts([
      ['Days', count(spread.returns.length)],
      ['Days without any return', count(spread.still)],
      ['VaR 95 % of a day', percent(spread.valueAtRisk)],
      ['CVaR 95 % of a day', percent(spread.expectedShortfall)],
      ['VaR 95 % of a bar, normal', percentOf(metrics['normalValueAtRisk'])],
      ['CVaR 95 % of a bar, normal', percentOf(metrics['normalExpectedShortfall'])],
      ['Best day', signedPercent(spread.best)],
      ['Worst day', signedPercent(spread.worst)],
    ]),
    note(
      'Returns from UTC day to UTC day; the bars leave out days without any return (all else counts them), the outermost ones gather all that lies beyond. VaR: the loss that one day of twenty exceeds; CVaR: the mean loss of those days. ' +
        'A normal distribution with the same spread has thinner tails than most markets.',
    ),
  ];
}

export function monteCarloSection(
  result: BacktestResult,
  plots: readonly Plot[],
): readonly string[] {
  const { monteCarlo } = result;
  if (monteCarlo === null) {
    return [note('Not run: how far these figures are luck of the order of returns is not known.')];
  }
  const rows = bandRows(result).map(({ label, band, actual, show }): Cell[] => [
    label,
    actual === null ? 'n/a' : show(actual),
    ...[band.p5, band.p25, band.p50, band.p75, band.p95].map(show),
  ]);
  const { paths, block, lossShare, tooFewBlocks } = monteCarlo;
  return [
    figures(plots),
    table(['Figure', 'This run', '5 %', '25 %', 'Median', '75 %', '95 %'], rows),
    note(
      `${count(paths)} paths of ${count(block)} consecutive returns at a time, drawn with replacement (seed ${monteCarlo.seed}): ${percent(lossShare)} of them lost money. ` +
        'It tells how far the figures are luck of the order; it knows no market that this run has not seen.' +
        (tooFewBlocks ? ' There are too few blocks: read the bands as a hint.' : ''),
    ),
  ];
}

type Points = NonNullable<BacktestResult['sensitivity']>['costs'];

export function sensitivitySection({ sensitivity, rules }: BacktestResult): readonly string[] {
  if (sensitivity === null) {
    return [note('Not run: whether the result lives on its costs or on fast fills is not known.')];
  }
  const rows = (points: Points, name: (point: Points[number]) => string): Cell[][] =>
    points.map((point) => [
      name(point),
      signedPercent(point.totalReturn),
      percentOf(point.annualReturn),
      metricText({ format: 'number' }, point.sharpe),
      percent(point.maxDrawdown),
      count(point.trades),
    ]);
  const head = ['Total return', 'Return a year', 'Sharpe ratio', 'Maximum drawdown', 'Trades'];
  const { costs, delays } = sensitivity;
  const own = { costScale: rules.costScale, delayBars: rules.fill.delayBars };
  const lossAt = costs.find(({ totalReturn }) => totalReturn < 0);
  const lossLate = delays.find(({ totalReturn }) => totalReturn < 0);
  return [
    '<h3>Costs</h3>',
    table(
      ['Costs', ...head],
      rows(costs, ({ costScale }) => `times ${costScale}`),
      { strongRow: costs.findIndex(({ costScale }) => costScale === own.costScale) },
    ),
    '<h3>Delay</h3>',
    table(
      ['Fills later by', ...head],
      rows(delays, ({ delayBars }) => `${delayBars} ${delayBars === 1 ? 'bar' : 'bars'}`),
      { strongRow: delays.findIndex(({ delayBars }) => delayBars === own.delayBars) },
    ),
    note(
      `${lossAt === undefined ? 'None of these costs turns it into a loss' : `It loses at costs times ${lossAt.costScale}`}; ` +
        `${lossLate === undefined ? 'none of these delays does' : `with fills ${lossLate.delayBars} bars later it loses`}. The run itself is marked.`,
    ),
  ];
}
