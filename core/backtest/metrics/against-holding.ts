/** Against buying and holding the same instruments: ordinary least squares of returns by row. */
import { defineBacktestMetric } from './metric.ts';

const source = 'Jensen 1968; errors: Newey and West 1987, 1994';

export const alpha = defineBacktestMetric({
  name: 'alpha',
  title: 'Alpha a year',
  docs: 'Constant of returns on those of buy-and-hold at the same costs, x rows a year. Null below 20 returns, and where the benchmark does not move.',
  direction: 'higher',
  format: 'percent',
  source,
  value: ({ regression, barsPerYear }) => regression.alpha * barsPerYear,
});

export const alphaError = defineBacktestMetric({
  name: 'alphaError',
  title: 'Standard error of alpha',
  docs: 'Newey-West, floor(4 (n / 100)^(2/9)) lags, x rows a year.',
  direction: 'lower',
  format: 'percent',
  source,
  value: ({ regression, barsPerYear }) => regression.alphaError * barsPerYear,
});

export const beta = defineBacktestMetric({
  name: 'beta',
  title: 'Beta',
  docs: 'Slope of returns on those of buy-and-hold.',
  direction: 'none',
  format: 'number',
  source,
  value: ({ regression }) => regression.beta,
});

export const betaError = defineBacktestMetric({
  name: 'betaError',
  title: 'Standard error of beta',
  docs: 'Newey-West, floor(4 (n / 100)^(2/9)) lags.',
  direction: 'lower',
  format: 'number',
  source,
  value: ({ regression }) => regression.betaError,
});
