import { z } from 'zod';
import { RatchetError } from '../../errors.ts';
import type { ClassWeighting } from './head.ts';

/** Hyperparameters of training that every network has, as zod fields with docs. */
export const trainingFields = {
  lossWeights: z
    .array(z.number().min(0).max(1000))
    .min(1)
    .max(8)
    .refine((w) => w.some((x) => x > 0), 'one loss weight must be above 0')
    .optional()
    .describe(
      'Weight of each horizon in the loss, as many as horizons. ' +
        'Default: 0.5, 0.3, 0.2 for three horizons, else equal weights that add up to 1.',
    ),
  learningRate: z
    .number()
    .positive()
    .max(1)
    .default(0.001)
    .meta({ search: { low: 1e-4, high: 1e-2, scale: 'log' } })
    .describe('First step size of Adam.'),
  epochs: z.int().min(1).max(10_000).default(100).describe('Most passes over the training part.'),
  batchSize: z
    .int()
    .min(2)
    .max(4096)
    .default(32)
    .meta({ search: { choices: [16, 32, 64, 128] } })
    .describe('Windows per step of Adam.'),
  earlyStopping: z
    .strictObject({
      patience: z.int().min(1).max(10_000).default(10).describe('Epochs without a better loss.'),
      minDelta: z.number().min(0).max(1e6).default(0).describe('Least gain that counts as better.'),
    })
    .prefault({})
    .describe('Stops on the validation loss; the best weights seen are the result either way.'),
  reduceLr: z
    .strictObject({
      factor: z.number().gt(0).lt(1).default(0.5).describe('Multiplies the learning rate.'),
      patience: z.int().min(1).max(10_000).default(5).describe('Epochs without a better loss.'),
      minDelta: z.number().min(0).max(1e6).default(1e-4).describe('Least gain that counts.'),
      minLearningRate: z.number().min(0).max(1).default(1e-6).describe('Never below this.'),
    })
    .prefault({})
    .describe('Lowers the learning rate while the validation loss stands still.'),
};

/** Of networks that learn classes. */
export const classFields = {
  classWeights: z
    .enum(['none', 'balanced'])
    .default('none')
    .describe(
      'balanced: in the loss of training and validation every class counts alike, whatever its share of the training ' +
        'rows; probabilities are then those of a world in which the classes come equally often.',
    ),
};

const trainingParams = z.strictObject(trainingFields);
export type TrainingParams = z.output<typeof trainingParams> & {
  readonly classWeights?: ClassWeighting;
};

const THREE_HORIZONS = [0.5, 0.3, 0.2] as const;

/** Loss weights of `horizons` outputs; throws `model.loss-weights` when their number differs. */
export function lossWeightsFor(
  params: Pick<TrainingParams, 'lossWeights'>,
  horizons: number,
): number[] {
  const { lossWeights } = params;
  if (lossWeights === undefined) {
    if (horizons === THREE_HORIZONS.length) return [...THREE_HORIZONS];
    return Array.from({ length: horizons }, () => 1 / horizons);
  }
  if (lossWeights.length !== horizons) {
    throw new RatchetError(
      'model.loss-weights',
      `hyperparameters.lossWeights has ${lossWeights.length} values, ` +
        `label.horizons has ${horizons}: give one weight per horizon, or none`,
      { details: { lossWeights: lossWeights.length, horizons } },
    );
  }
  return [...lossWeights];
}
