import { z } from 'zod';
import { defineModel } from './model.ts';
import { trainingFields } from './network/params.ts';

const rate = z.number().min(0).max(0.9);
const width = z.int().min(1).max(1024);

export const lstmParams = z.strictObject({
  units: z
    .array(width)
    .min(1)
    .max(4)
    .default([50, 50])
    .meta({ search: { choices: [[16], [32], [64], [32, 32], [50, 50], [64, 64]] } })
    .describe('Units of each LSTM layer, first to last; batch normalisation follows each.'),
  dropout: rate
    .default(0.2)
    .meta({ search: { high: 0.5 } })
    .describe(
      'Share of inputs dropped before each LSTM layer and of outputs after each dense one.',
    ),
  recurrentDropout: rate
    .default(0.2)
    .meta({ search: { high: 0.5 } })
    .describe('Share of recurrent inputs dropped: rows of the recurrent matrix, one mask a batch.'),
  dense: z.array(width).max(4).default([25]).describe('Widths of the shared relu layers.'),
  branch: width.default(16).describe('Width of the relu layer of each horizon.'),
  ...trainingFields,
});
export type LstmParams = z.output<typeof lstmParams>;

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
    budget: 'epochs',
  },
  version: 1,
  load: () => import('./lstm-multi-horizon.impl.ts'),
});
