/** Return against its spread. */
import { normalCdf, normalQuantile } from '../../search/normal.ts';
import type { BacktestFacts } from '../facts.ts';
import { defineBacktestMetric } from './metric.ts';
import { MIN_RETURNS, momentsOf, sharpePerBar } from './moments.ts';

export const volatility = defineBacktestMetric({
  name: 'volatility',
  title: 'Volatility a year',
  docs: 'SD (ddof 1) of returns by row x sqrt(rows a year). Null below 20 returns.',
  direction: 'lower',
  format: 'percent',
  source: 'definition; equals empyrical annual_volatility',
  value: ({ moments, barsPerYear }) => moments.sd * Math.sqrt(barsPerYear),
});

export const sharpe = defineBacktestMetric({
  name: 'sharpe',
  title: 'Sharpe ratio, daily',
  docs: '(mean - risk-free) / SD (ddof 1) of returns from UTC day to UTC day, x sqrt(days a year). Null without a spread or below 20 days.',
  direction: 'higher',
  format: 'number',
  source: 'Sharpe 1994; Lo 2002 on why not by the hour',
  value: ({ dailyReturns, riskFreePerYear, daysPerYear }) =>
    sharpePerBar(momentsOf(dailyReturns), riskFreePerYear / daysPerYear) * Math.sqrt(daysPerYear),
});

export const sharpeByBar = defineBacktestMetric({
  name: 'sharpeByBar',
  title: 'Sharpe ratio by bar',
  docs: '(mean - risk-free) / SD (ddof 1) of returns by row, x sqrt(rows a year). Null without a spread or below 20 returns.',
  direction: 'higher',
  format: 'number',
  source: 'Sharpe 1994; equals empyrical sharpe_ratio',
  value: ({ moments, riskFreePerYear, barsPerYear }) =>
    sharpePerBar(moments, riskFreePerYear / barsPerYear) * Math.sqrt(barsPerYear),
});

export const sortino = defineBacktestMetric({
  name: 'sortino',
  title: 'Sortino ratio',
  docs: 'mean / sqrt(mean(min(r, 0)^2)) over all rows, target 0 a row, x sqrt(rows a year). Null without a losing row or below 20 returns.',
  direction: 'higher',
  format: 'number',
  source: 'Sortino and van der Meer 1991; equals empyrical sortino_ratio',
  value: ({ moments, barsPerYear }) => {
    const { count, mean, squaresBelow } = moments;
    if (count < MIN_RETURNS || squaresBelow === 0) return NaN;
    return (mean / Math.sqrt(squaresBelow / count)) * Math.sqrt(barsPerYear);
  },
});

/**
 * Deflated Sharpe ratio: probability that the true Sharpe ratio is above the best of M skill-less tries.
 * SR0 = SD(SR) ((1 - g) Z(1 - 1/M) + g Z(1 - 1/(M e))), 0 for M = 1;
 * Phi((SR - SR0) sqrt(T - 1) / sqrt(1 - skew SR + (kurt - 1) / 4 SR^2)), all by row, kurt non-excess.
 */
export const deflatedSharpe = defineBacktestMetric({
  name: 'deflatedSharpe',
  title: 'Deflated Sharpe ratio',
  docs: 'Probability (0..1) that the Sharpe ratio by row is above what the best of the tries recorded would show by luck; with one try, above 0. Null without a spread, or without the spread over several tries.',
  direction: 'higher',
  format: 'percent',
  source: 'Bailey and Lopez de Prado 2014',
  value: (facts) => {
    const { moments } = facts;
    const ratio = sharpePerBar(moments);
    const variance = 1 - moments.skewness * ratio + ((moments.kurtosis - 1) / 4) * ratio ** 2;
    if (!(variance > 0)) return NaN;
    return normalCdf(
      ((ratio - luckOf(facts)) * Math.sqrt(moments.count - 1)) / Math.sqrt(variance),
    );
  },
});

const EULER = 0.5772156649015329;

/** The Sharpe ratio by row that the best of M tries without skill is expected to show. */
function luckOf({ tries: { count, sharpeSd = NaN } }: BacktestFacts): number {
  if (count <= 1) return 0;
  return (
    sharpeSd *
    ((1 - EULER) * normalQuantile(1 - 1 / count) + EULER * normalQuantile(1 - 1 / (count * Math.E)))
  );
}
