import { z } from 'zod';
import { lightGbm, lightGbmParams } from './lightgbm.ts';
import { lstmClassifier, lstmClassifierParams } from './lstm-classifier.ts';
import { defineModel } from './model.ts';

export const hybridParams = z.strictObject({
  lstm: lstmClassifierParams
    .prefault({})
    .describe('The network, trained first as a classifier; those of `lstm-classifier`.'),
  trees: lightGbmParams
    .prefault({})
    .describe('The trees, trained on what it has learnt to see; those of `lightgbm`.'),
});
export type HybridParams = z.output<typeof hybridParams>;

/** An LSTM that learns to see, and trees that decide. */
export const hybridLstmLightGbm = defineModel({
  name: 'hybrid-lstm-lightgbm',
  docs:
    'Two stages. An `lstm-classifier` is trained first. Then LightGBM is trained on the newest bar, features as they ' +
    'are, beside what the linear layer of that network reads, as its exported graph computes it: trees decide when ' +
    'served as they did in training. One ONNX graph holds both.',
  params: hybridParams,
  traits: {
    tasks: ['classification'],
    needsScaling: true,
    sequence: true,
    stochastic: true,
    needsTensorflow: true,
    // Its trees decide; the network in front only learns to see.
    rounds: 'trees.rounds',
    monteCarlo: false,
    iteration: 'step',
  },
  version: 1,
  partsOf: () => [lstmClassifier, lightGbm],
  load: () => import('./hybrid-lstm-lightgbm.impl.ts'),
});
