import { z } from 'zod';
import { defineLabel, type RegressionLabel } from './label.ts';

/** Simple return over the horizon. */
export const forwardReturn = defineLabel<RegressionLabel>({
  task: 'regression',
  name: 'forwardReturn',
  docs: 'Simple return from the last close of the window to the close h bars later.',
  formula: 'c[t+h] / c[t] - 1',
  params: z.strictObject({}),
  multiplyByClose: false,
  value: (close, laterClose) => laterClose / close - 1,
  priceFrom: (value, close) => close * (1 + value),
  returnFrom: (value) => value,
  unchanged: 0,
});
