import { z } from 'zod';
import { defineLabel, type RegressionLabel } from './label.ts';

/** Log return over the horizon; additive over time and symmetric, hence the default. */
export const forwardLogReturn = defineLabel<RegressionLabel>({
  task: 'regression',
  name: 'forwardLogReturn',
  docs: 'Log return from the last close of the window to the close h bars later.',
  formula: 'ln(c[t+h] / c[t])',
  params: z.strictObject({}),
  multiplyByClose: false,
  value: (close, laterClose) => Math.log(laterClose / close),
  priceFrom: (value, close) => close * Math.exp(value),
  returnFrom: (value) => Math.expm1(value),
  unchanged: 0,
});
