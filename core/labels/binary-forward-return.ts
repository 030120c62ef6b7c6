import { z } from 'zod';
import { defineLabel, type ClassLabel } from './label.ts';
import { thresholdAfter, thresholdBars, thresholdFields } from './threshold.ts';

/** Does the price rise by more than a threshold? */
export const binaryForwardReturn = defineLabel<ClassLabel>({
  task: 'classification',
  name: 'binaryForwardReturn',
  docs: 'Whether the close h bars later lies above the last close by more than a threshold.',
  formula: 'buy: c[t+h] / c[t] - 1 > threshold; else hold',
  params: z.strictObject(thresholdFields({ threshold: 0.02, window: 20, floor: 0 })),
  classes: ['hold', 'buy'],
  directions: [0, 1],
  unchanged: 0,
  thresholdBars,
  thresholdAfter,
  outcome(changes, threshold) {
    const at = changes.length - 1;
    return { of: changes[at]! > threshold ? 1 : 0, at };
  },
});
