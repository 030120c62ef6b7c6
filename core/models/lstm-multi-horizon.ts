import { z } from 'zod';
import { layerWidth, lstmFields } from './lstm/params.ts';
import { defineModel } from './model.ts';
import { trainingFields } from './network/params.ts';

export const lstmParams = z.strictObject({
  ...lstmFields({
    units: [50, 50],
    searched: [[16], [32], [64], [32, 32], [50, 50], [64, 64]],
    dense: [25],
  }),
  branch: layerWidth.default(16).describe('Width of the relu layer of each horizon.'),
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
    canContinue: true,
    monteCarlo: true,
    iteration: 'epoch',
    budget: 'epochs',
  },
  version: 2,
  load: () => import('./lstm-multi-horizon.impl.ts'),
});
