/** The catalogue of backtest metrics: a new one is a `defineBacktestMetric` and a line here. */
import type { BacktestFacts } from '../facts.ts';
import { alpha, alphaError, beta, betaError } from './against-holding.ts';
import {
  annualReturn,
  costsPaid,
  exposure,
  timeInMarket,
  totalReturn,
  turnover,
} from './growth.ts';
import { barHitRate, openTrades, profitFactor, trades, winRate } from './hits.ts';
import {
  calmar,
  expectedShortfall,
  longestDrawdownBars,
  maxDrawdown,
  maxDrawdownBars,
  normalExpectedShortfall,
  normalValueAtRisk,
  valueAtRisk,
} from './losses.ts';
import type { BacktestMetric } from './metric.ts';
import { deflatedSharpe, sharpe, sharpeByBar, sortino, volatility } from './ratios.ts';

export const backtestMetrics: readonly BacktestMetric[] = [
  totalReturn,
  annualReturn,
  volatility,
  sharpe,
  sharpeByBar,
  sortino,
  calmar,
  maxDrawdown,
  maxDrawdownBars,
  longestDrawdownBars,
  valueAtRisk,
  expectedShortfall,
  normalValueAtRisk,
  normalExpectedShortfall,
  trades,
  openTrades,
  winRate,
  barHitRate,
  profitFactor,
  turnover,
  exposure,
  timeInMarket,
  costsPaid,
  alpha,
  alphaError,
  beta,
  betaError,
  deflatedSharpe,
];

/** Every metric by name; null where it is not defined, never NaN or infinite. */
export function metricValues(facts: BacktestFacts): Record<string, number | null> {
  return Object.fromEntries(
    backtestMetrics.map(({ name, value }) => {
      const figure = value(facts);
      // -0 + 0 is 0: what JSON makes of it.
      return [name, Number.isFinite(figure) ? figure + 0 : null];
    }),
  );
}
