import type { Plot } from '../../evaluation/report/plots.ts';
import type { BacktestReportInput } from './input.ts';
import { monthsChart } from './months.ts';
import { chartedInstruments, priceChart } from './price-chart.ts';
import {
  costsChart,
  drawdownChart,
  equityChart,
  exposureChart,
  rollingSharpeChart,
} from './result-charts.ts';
import { bandRows, dailySpread, monteCarloChart, returnsChart } from './returns-chart.ts';
import type { Drawing } from './time-chart.ts';

export const TRADES_PLOT = 'trades-';

/**
 * All charts of a backtest as named SVGs: `equity`, `drawdown`, `months`, `rolling-sharpe`, `exposure`, `costs`, `returns`,
 * `monte-carlo` and `trades-INSTRUMENT` (what a file name cannot hold is `_`). Left out: what there is too little for.
 */
export function backtestPlots(input: BacktestReportInput): Plot[] {
  const { strategy, beside, closes } = input;
  const { result } = strategy;
  const plots: Plot[] = [];
  const add = (name: string, drawing: Drawing | undefined): void => {
    if (drawing !== undefined) plots.push({ name, ...drawing });
  };
  const addSvg = (name: string, title: string, svg: string | undefined): void =>
    add(name, svg === undefined ? undefined : { title, svg });
  const spread = dailySpread(result);
  const bands = bandRows(result);
  const months = result.months.length > 0 ? monthsChart(result.months) : undefined;
  add('equity', equityChart(strategy, beside));
  add('drawdown', drawdownChart(strategy));
  addSvg('months', 'Returns by month in per cent', months);
  add('rolling-sharpe', rollingSharpeChart(strategy));
  add('exposure', exposureChart(strategy));
  add('costs', costsChart(strategy));
  addSvg('returns', 'Daily returns after costs', spread && returnsChart(spread));
  if (bands.length > 0) addSvg('monte-carlo', 'Bands of resampled paths', monteCarloChart(bands));
  const taken = new Set<string>();
  for (const one of chartedInstruments(result, closes)) {
    add(fileName(one.instrument, taken), priceChart(one, result.trades));
  }
  return plots;
}

/** Ids that differ only in what a file name cannot hold are numbered. */
function fileName(instrument: string, taken: Set<string>): string {
  const base = `${TRADES_PLOT}${instrument.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`;
  let name = base;
  for (let i = 2; taken.has(name); i++) name = `${base}-${i}`;
  taken.add(name);
  return name;
}
