import { z } from 'zod';
import { defineLabel, type ClassLabel } from './label.ts';
import { thresholdAfter, thresholdBars, thresholdFields } from './threshold.ts';

/** Costs of a round trip at a crypto exchange: 5 bp of fee and 2 bp of slippage a side. */
const CRYPTO_ROUND_TRIP = 0.0014;
/** A week of hours. */
const WEEK_OF_HOURS = 168;

/** Falls, stays or rises over the horizon, by a threshold. */
export const threeClass = defineLabel<ClassLabel>({
  task: 'classification',
  name: 'threeClass',
  docs: 'Whether the close h bars later lies below, within or above a threshold around the last close.',
  formula: 'sell: c[t+h] / c[t] - 1 < -threshold; buy: > threshold; else hold',
  params: z.strictObject(
    thresholdFields({ threshold: 0.005, window: WEEK_OF_HOURS, floor: CRYPTO_ROUND_TRIP }),
  ),
  classes: ['sell', 'hold', 'buy'],
  directions: [-1, 0, 1],
  unchanged: 1,
  thresholdBars,
  thresholdAfter,
  outcome(changes, threshold) {
    const at = changes.length - 1;
    const change = changes[at]!;
    return { of: change > threshold ? 2 : change < -threshold ? 0 : 1, at };
  },
});
