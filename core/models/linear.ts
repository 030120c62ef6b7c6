import { z } from 'zod';
import { defineModel } from './model.ts';

/** Ordinary least squares on the newest row of the window. */
export const linear = defineModel({
  name: 'linear',
  docs:
    'Ordinary least squares on the last row of the scaled window, one per horizon: ridge without a penalty, so that ' +
    'the validation part chooses nothing. Where features say the same thing, the coefficients of least norm are taken.',
  params: z.strictObject({}),
  traits: {
    tasks: ['regression'],
    needsScaling: true,
    sequence: false,
    stochastic: false,
    needsTensorflow: false,
    monteCarlo: false,
    iteration: 'step',
  },
  version: 1,
  load: () => import('./linear.impl.ts'),
});
