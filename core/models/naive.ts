import { z } from 'zod';
import { defineModel } from './model.ts';

/** The random walk: the price stays where it is. What every other model has to beat. */
export const naive = defineModel({
  name: 'naive',
  docs:
    'Predicts no change at every horizon (zero return, price = last close, the class of no change with certainty). ' +
    'Learns nothing.',
  params: z.strictObject({}),
  traits: {
    tasks: ['regression', 'classification'],
    needsScaling: false,
    sequence: false,
    stochastic: false,
    needsTensorflow: false,
    monteCarlo: false,
    iteration: 'step',
  },
  version: 1,
  load: () => import('./naive.impl.ts'),
});
