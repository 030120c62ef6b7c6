import { z } from 'zod';
import { defineModel } from './model.ts';
import { boostFields } from './trees/params.ts';

export const lightGbmParams = z.strictObject({
  ...boostFields,
  numLeaves: z
    .int()
    .min(2)
    .max(4096)
    .default(31)
    .meta({ search: { low: 4, high: 256, scale: 'log' } })
    .describe('Most leaves of a tree.'),
  maxDepth: z
    .int()
    .min(-1)
    .max(64)
    .default(-1)
    .describe('Most splits between root and leaf; -1: as many as `numLeaves` allows.'),
  minDataInLeaf: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(20)
    .meta({ search: { low: 5, high: 200, scale: 'log' } })
    .describe('Least training rows of a leaf.'),
});
export type LightGbmParams = z.output<typeof lightGbmParams>;

/** Gradient boosted trees, grown leaf by leaf (Ke et al., 2017). */
export const lightGbm = defineModel({
  name: 'lightgbm',
  docs:
    'LightGBM on the newest row of the window, features as they are: one booster a horizon with squared error, log loss of ' +
    'two classes, or softmax of more; early stopping on the validation part. One thread, so that the same seed gives ' +
    'the same trees, which are those of the Python package.',
  params: lightGbmParams,
  traits: {
    tasks: ['regression', 'classification'],
    needsScaling: false,
    sequence: false,
    stochastic: true,
    needsTensorflow: false,
    canContinue: true,
    monteCarlo: false,
    iteration: 'round',
    budget: 'rounds',
  },
  version: 1,
  load: () => import('./lightgbm.impl.ts'),
});
