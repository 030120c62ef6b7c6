import { z } from 'zod';
import { RatchetError } from '../errors.ts';
import { defineModel } from './model.ts';

const rate = z.number().min(0).max(0.9);
const width = z.int().min(1).max(1024);

export const lstmParams = z.strictObject({
  units: z
    .array(width)
    .min(1)
    .max(4)
    .default([50, 50])
    .describe('Units of each LSTM layer, first to last; batch normalisation follows each.'),
  dropout: rate
    .default(0.2)
    .describe(
      'Share of inputs dropped before each LSTM layer and of outputs after each dense one.',
    ),
  recurrentDropout: rate
    .default(0.2)
    .describe('Share of recurrent inputs dropped: rows of the recurrent matrix, one mask a batch.'),
  dense: z.array(width).max(4).default([25]).describe('Widths of the shared relu layers.'),
  branch: width.default(16).describe('Width of the relu layer of each horizon.'),
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
  learningRate: z.number().positive().max(1).default(0.001).describe('First step size of Adam.'),
  epochs: z.int().min(1).max(10_000).default(100).describe('Most passes over the training part.'),
  batchSize: z.int().min(2).max(4096).default(32).describe('Windows per step of Adam.'),
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
});
export type LstmParams = z.output<typeof lstmParams>;

const THREE_HORIZONS = [0.5, 0.3, 0.2] as const;

/** Loss weights of `horizons` outputs; throws `model.loss-weights` when their number differs. */
export function lossWeightsFor(
  params: Pick<LstmParams, 'lossWeights'>,
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

/** One network, one output per horizon: stacked LSTM, shared dense layers, a branch per horizon. */
export const lstmMultiHorizon = defineModel({
  name: 'lstm-multi-horizon',
  docs:
    'Stacked LSTM layers with dropout, recurrent dropout and batch normalisation, shared relu ' +
    'layers with dropout, and per horizon a relu layer with dropout and a linear output. ' +
    'Weighted MSE, Adam, early stopping, learning rate lowered on a plateau.',
  params: lstmParams,
  traits: {
    tasks: ['regression'],
    needsScaling: true,
    sequence: true,
    stochastic: true,
    needsTensorflow: true,
    monteCarlo: true,
  },
  version: 1,
  load: () => import('./lstm-multi-horizon.impl.ts'),
});
