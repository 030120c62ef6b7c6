import { z } from 'zod';
import { defineModel } from './model.ts';

export const ridgeParams = z.strictObject({
  alphas: z
    .array(z.number().positive().max(1e12))
    .min(1)
    .max(64)
    .default([0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e8])
    .describe(
      'Penalties tried; the one with the least validation MSE is taken, horizon by horizon. ' +
        'The largest shrink to the training mean.',
    ),
});
export type RidgeParams = z.output<typeof ridgeParams>;

/** Linear regression with an L2 penalty on the newest row of the window. */
export const ridge = defineModel({
  name: 'ridge',
  docs:
    'Ridge regression on the last row of the scaled window, one per horizon, in closed form; ' +
    'the penalty is chosen on the validation part, the intercept is not penalised.',
  params: ridgeParams,
  traits: {
    tasks: ['regression'],
    needsScaling: true,
    sequence: false,
    stochastic: false,
    needsTensorflow: false,
    monteCarlo: false,
    iteration: 'step',
  },
  version: 2,
  load: () => import('./ridge.impl.ts'),
});
