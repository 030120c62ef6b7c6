import { z } from 'zod';

const share = z.number().gt(0).max(1);
const penalty = z.number().min(0).max(1e6);

/** Hyperparameters that every family of boosted trees has, as zod fields with docs. */
export const boostFields = {
  rounds: z
    .int()
    .min(1)
    .max(10_000)
    .default(500)
    .describe('Most rounds; each adds one tree (one a class where there are more than two).'),
  learningRate: z
    .number()
    .positive()
    .max(1)
    .default(0.05)
    .meta({ search: { low: 0.01, high: 0.3, scale: 'log' } })
    .describe('Weight of each new tree.'),
  featureFraction: share
    .default(0.8)
    .meta({ search: { low: 0.3 } })
    .describe('Share of features that each tree may look at.'),
  baggingFraction: share
    .default(0.8)
    .meta({ search: { low: 0.4 } })
    .describe('Share of rows that each round learns from.'),
  lambdaL1: penalty.default(0).describe('L1 penalty on the values of leaves.'),
  lambdaL2: penalty
    .default(1)
    .meta({ search: { low: 1e-3, high: 100, scale: 'log' } })
    .describe('L2 penalty on the values of leaves.'),
  minGain: penalty.default(0).describe('Least gain for which a leaf is split.'),
  maxBins: z
    .int()
    .min(2)
    .max(65_535)
    .default(255)
    .describe('Most values of a feature that splits tell apart.'),
  earlyStopping: z
    .strictObject({
      patience: z.int().min(1).max(10_000).default(50).describe('Rounds without a better loss.'),
    })
    .prefault({})
    .describe(
      'Stops on the validation loss, horizon by horizon; the best rounds seen are the result either way.',
    ),
  classWeights: z
    .enum(['none', 'balanced'])
    .default('none')
    .describe(
      'Of labels with classes: `balanced` lets every class count alike, whatever its share of the training rows.',
    ),
};

const boostParams = z.strictObject(boostFields);
export type BoostParams = z.output<typeof boostParams>;
