import { z } from 'zod';
import { defineModel } from './model.ts';

/** The training priors: what every classifier has to beat. */
export const majority = defineModel({
  name: 'majority',
  docs:
    'Answers every window with the shares of the classes among the training rows, horizon by horizon; its class is ' +
    'the most frequent one.',
  params: z.strictObject({}),
  traits: {
    tasks: ['classification'],
    needsScaling: false,
    sequence: false,
    stochastic: false,
    needsTensorflow: false,
    monteCarlo: false,
    iteration: 'step',
  },
  version: 1,
  load: () => import('./majority.impl.ts'),
});
