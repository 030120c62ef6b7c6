import { z } from 'zod';
import { defineLabel, type RegressionLabel } from './label.ts';

/** Price, learnt as its ratio to the last close: scale-free features cannot tell a price level. */
export const forwardPrice = defineLabel<RegressionLabel>({
  task: 'regression',
  name: 'forwardPrice',
  docs: 'Close h bars later; learnt as its ratio to the last close, multiplied back in the graph.',
  formula: 'c[t+h] / c[t], times c[t] when served',
  params: z.strictObject({}),
  multiplyByClose: true,
  value: (close, laterClose) => laterClose / close,
  priceFrom: (value, close) => close * value,
  returnFrom: (value) => value - 1,
  unchanged: 1,
});
