/** What was won, and what it was won with. */
import { defineBacktestMetric } from './metric.ts';

/** Shorter runs say nothing of a year. */
const MIN_DAYS_CAGR = 90;
const DAYS_PER_YEAR = 365.25;

export const totalReturn = defineBacktestMetric({
  name: 'totalReturn',
  title: 'Total return',
  docs: 'Equity at the end / initial equity - 1.',
  direction: 'higher',
  format: 'percent',
  source: 'definition',
  value: ({ growth }) => growth - 1,
});

export const annualReturn = defineBacktestMetric({
  name: 'annualReturn',
  title: 'Annual return',
  docs: 'CAGR by calendar time: growth^(365.25 / days) - 1. Null below 90 days, and where no equity is left.',
  direction: 'higher',
  format: 'percent',
  source: 'definition; days from the first close to the last',
  value: ({ growth, days }) =>
    days >= MIN_DAYS_CAGR && growth > 0 ? growth ** (DAYS_PER_YEAR / days) - 1 : NaN,
});

export const turnover = defineBacktestMetric({
  name: 'turnover',
  title: 'Turnover a year',
  docs: 'Sum of absolute value traded over equity, / 2, per calendar year; 1 is a full rotation a year.',
  direction: 'none',
  format: 'number',
  source: 'definition',
  value: ({ totals, years }) => (years > 0 ? totals.traded / 2 / years : NaN),
});

export const exposure = defineBacktestMetric({
  name: 'exposure',
  title: 'Mean exposure',
  docs: 'Mean over rows of the sum of absolute weights.',
  direction: 'none',
  format: 'percent',
  source: 'definition',
  value: ({ run, totals }) => totals.exposure / run.exposure.length,
});

export const timeInMarket = defineBacktestMetric({
  name: 'timeInMarket',
  title: 'Time in the market',
  docs: 'Share of rows at which anything is held.',
  direction: 'none',
  format: 'percent',
  source: 'definition',
  value: ({ run, totals }) => totals.held / run.exposure.length,
});

export const costsPaid = defineBacktestMetric({
  name: 'costsPaid',
  title: 'Costs paid',
  docs: 'Fees, slippage, spread, borrowing and financing, as a share of the initial equity.',
  direction: 'lower',
  format: 'percent',
  source: 'definition',
  value: ({ run, totals }) => totals.costs / run.initialEquity,
});
