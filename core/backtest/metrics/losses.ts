/** How bad it was, and how bad a bar can be. Losses of value at risk are positive. */
import type { BacktestFacts } from '../facts.ts';
import { annualReturn } from './growth.ts';
import { defineBacktestMetric } from './metric.ts';
import { MIN_RETURNS } from './moments.ts';

const TAIL = 0.05;
/** Standard normal quantile of 0.95, and the density there. */
const Z95 = 1.6448536269514722;
const DENSITY95 = Math.exp(-(Z95 ** 2) / 2) / Math.sqrt(2 * Math.PI);

export const maxDrawdown = defineBacktestMetric({
  name: 'maxDrawdown',
  title: 'Maximum drawdown',
  docs: 'Lowest equity / highest before - 1, from the initial equity on; 0 or negative.',
  direction: 'higher',
  format: 'percent',
  source: 'definition; equals empyrical max_drawdown',
  value: ({ drawdowns }) => drawdowns.deepest?.depth ?? 0,
});

export const maxDrawdownBars = defineBacktestMetric({
  name: 'maxDrawdownBars',
  title: 'Length of the maximum drawdown',
  docs: 'Rows from its peak to its recovery, or to the end where it is open (the result flags it).',
  direction: 'lower',
  format: 'count',
  source: 'definition',
  value: ({ drawdowns }) => drawdowns.deepest?.bars ?? 0,
});

export const longestDrawdownBars = defineBacktestMetric({
  name: 'longestDrawdownBars',
  title: 'Longest drawdown',
  docs: 'Rows from peak to recovery of the longest drawdown; an open one counts to the end.',
  direction: 'lower',
  format: 'count',
  source: 'definition',
  value: ({ drawdowns }) => drawdowns.longest?.bars ?? 0,
});

export const calmar = defineBacktestMetric({
  name: 'calmar',
  title: 'Calmar ratio',
  docs: 'Annual return / abs(maximum drawdown). Null below 360 days from the open of the first bar, and without a drawdown.',
  direction: 'higher',
  format: 'number',
  source: 'Young 1991, over the whole run',
  value: (facts) => {
    const depth = facts.drawdowns.deepest?.depth ?? 0;
    return facts.coversYear && depth < 0 ? annualReturn.value(facts) / -depth : NaN;
  },
});

export const valueAtRisk = defineBacktestMetric({
  name: 'valueAtRisk',
  title: 'VaR 95 %, historical',
  docs: 'Loss of one row that 5 % of rows exceed: -quantile(returns, 0.05), linear. Null below 20 returns.',
  direction: 'lower',
  format: 'percent',
  source: 'definition; empyrical value_at_risk with the sign turned',
  value: (facts) => -tailQuantile(facts),
});

export const expectedShortfall = defineBacktestMetric({
  name: 'expectedShortfall',
  title: 'CVaR 95 %, historical',
  docs: '-mean of the returns at or below the 5 % quantile. Null below 20 returns.',
  direction: 'lower',
  format: 'percent',
  source: 'Rockafellar and Uryasev 2000; quantstats cvar on a historical VaR, sign turned',
  value: (facts) => {
    const quantile = tailQuantile(facts);
    const { tail } = facts;
    let sum = 0;
    let count = 0;
    for (; tail[count]! <= quantile; count++) sum += tail[count]!;
    return -sum / count;
  },
});

export const normalValueAtRisk = defineBacktestMetric({
  name: 'normalValueAtRisk',
  title: 'VaR 95 %, normal',
  docs: '-(mean - 1.645 SD) of returns by row (ddof 1). Null below 20 returns.',
  direction: 'lower',
  format: 'percent',
  source: 'definition; what quantstats calls value_at_risk, sign turned',
  value: ({ moments }) => Z95 * moments.sd - moments.mean,
});

export const normalExpectedShortfall = defineBacktestMetric({
  name: 'normalExpectedShortfall',
  title: 'CVaR 95 %, normal',
  docs: '-(mean - SD density(1.645) / 0.05) of returns by row (ddof 1). Null below 20 returns.',
  direction: 'lower',
  format: 'percent',
  source: 'expected shortfall of a normal',
  value: ({ moments }) => (DENSITY95 / TAIL) * moments.sd - moments.mean,
});

/** The 5 % quantile of returns, linear between order statistics; NaN below 20 returns. */
function tailQuantile({ returns, tail }: BacktestFacts): number {
  if (returns.length < MIN_RETURNS) return NaN;
  const at = TAIL * (returns.length - 1);
  const below = Math.floor(at);
  return tail[below]! + (at - below) * (tail[below + 1]! - tail[below]!);
}
