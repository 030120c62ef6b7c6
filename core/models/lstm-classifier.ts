import { z } from 'zod';
import { lstmFields } from './lstm/params.ts';
import { defineModel } from './model.ts';
import { classFields, trainingFields } from './network/params.ts';

export const lstmClassifierParams = z.strictObject({
  ...lstmFields({
    units: [128, 128],
    searched: [[32], [64], [128], [64, 64], [128, 128]],
    dense: [],
  }),
  ...classFields,
  ...trainingFields,
});
export type LstmClassifierParams = z.output<typeof lstmClassifierParams>;

/** One network that gives each horizon's classes a probability. */
export const lstmClassifier = defineModel({
  name: 'lstm-classifier',
  docs:
    'Stacked LSTM layers with dropout, recurrent dropout and batch normalisation, shared relu layers if any, and one ' +
    'linear layer with a softmax over the classes of each horizon. Cross-entropy weighted by horizon and, if asked ' +
    'for, by class; Adam, early stopping on the validation log loss, learning rate lowered on a plateau. What the ' +
    'linear layer reads is what the network has learnt to see: the features of the hybrid.',
  params: lstmClassifierParams,
  traits: {
    tasks: ['classification'],
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
  load: () => import('./lstm-classifier.impl.ts'),
});
