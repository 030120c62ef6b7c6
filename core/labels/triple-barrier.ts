import { z } from 'zod';
import { defineLabel, type ClassLabel } from './label.ts';
import { thresholdAfter, thresholdBars, thresholdFields } from './threshold.ts';

/**
 * Which barrier the close meets first (López de Prado 2018, chapter 3): the lower or upper one, or the end of the
 * horizon. Closes alone decide, as in the original, so that settling needs what training needed.
 */
export const tripleBarrier = defineLabel<ClassLabel>({
  task: 'classification',
  name: 'tripleBarrier',
  docs: 'Which barrier a close meets first within the horizon: the lower (sell), the upper (buy) or none (hold).',
  formula:
    'the first i <= h with c[t+i] / c[t] - 1 < -threshold (sell) or > threshold (buy); else hold',
  params: z.strictObject(thresholdFields({ threshold: 0.02, window: 20, floor: 0 })),
  classes: ['sell', 'hold', 'buy'],
  directions: [-1, 0, 1],
  unchanged: 1,
  thresholdBars,
  thresholdAfter,
  outcome(changes, threshold) {
    for (let at = 0; at < changes.length; at++) {
      if (changes[at]! > threshold) return { of: 2, at };
      if (changes[at]! < -threshold) return { of: 0, at };
    }
    return { of: 1, at: changes.length - 1 };
  },
});
