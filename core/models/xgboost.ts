import { z } from 'zod';
import { defineModel } from './model.ts';
import { boostFields } from './trees/params.ts';

export const xgBoostParams = z.strictObject({
  ...boostFields,
  maxDepth: z
    .int()
    .min(1)
    .max(24)
    .default(4)
    .meta({ search: { low: 2, high: 8 } })
    .describe('Most splits between root and leaf.'),
  minChildWeight: z
    .number()
    .min(0)
    .max(1e6)
    .default(5)
    .meta({ search: { low: 1, high: 100, scale: 'log' } })
    .describe('Least sum of second derivatives in a leaf; of squared error: training rows.'),
});
export type XgBoostParams = z.output<typeof xgBoostParams>;

/** Gradient boosted trees, grown level by level (Chen and Guestrin, 2016). */
export const xgBoost = defineModel({
  name: 'xgboost',
  docs:
    'XGBoost on the newest row of the window, features as they are: one booster a horizon with squared error, log loss of ' +
    'two classes, or softmax of more, on histograms; early stopping on the validation part. One thread, so that the same ' +
    'seed gives the same trees, which are those of the Python package.',
  params: xgBoostParams,
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
  load: () => import('./xgboost.impl.ts'),
});
