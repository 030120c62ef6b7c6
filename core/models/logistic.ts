import { z } from 'zod';
import { defineModel } from './model.ts';

export const logisticParams = z.strictObject({
  penalties: z
    .array(z.number().positive().max(1e12))
    .min(1)
    .max(64)
    .default([0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e8])
    .describe(
      'L2 penalties tried; the one with the least validation log loss is taken, horizon by horizon. ' +
        'The largest shrink to the shares of the classes.',
    ),
});
export type LogisticParams = z.output<typeof logisticParams>;

/** Multinomial logistic regression with an L2 penalty on the newest row of the window. */
export const logistic = defineModel({
  name: 'logistic',
  docs:
    'Multinomial logistic regression on the last row of the scaled window, one per horizon; the L2 penalty is chosen ' +
    'on the validation part, intercepts are not penalised.',
  params: logisticParams,
  traits: {
    tasks: ['classification'],
    needsScaling: true,
    sequence: false,
    stochastic: false,
    needsTensorflow: false,
    monteCarlo: false,
    iteration: 'step',
  },
  version: 1,
  load: () => import('./logistic.impl.ts'),
});
