import { z } from 'zod';
import { defineModel } from './model.ts';
import { classFields, trainingFields } from './network/params.ts';

export const transformerParams = z
  .strictObject({
    dModel: z
      .int()
      .min(4)
      .max(512)
      .default(64)
      .meta({ search: { choices: [32, 64, 128] } })
      .describe('Width of each position; a multiple of heads.'),
    heads: z
      .int()
      .min(1)
      .max(16)
      .default(4)
      .meta({ search: { choices: [2, 4, 8] } })
      .describe('Attention heads of each layer.'),
    layers: z
      .int()
      .min(1)
      .max(8)
      .default(2)
      .meta({ search: { high: 4 } })
      .describe('Encoder layers.'),
    feedForward: z
      .int()
      .min(4)
      .max(2048)
      .optional()
      .describe("Width of each layer's relu layer. Default: 4 x dModel."),
    dropout: z
      .number()
      .min(0)
      .max(0.9)
      .default(0.1)
      .meta({ search: { high: 0.5 } })
      .describe(
        'Share dropped of the embedded bars and of what each half of a layer adds; one mask a window, ' +
          'the same for all its bars.',
      ),
    attention: z
      .enum(['causal', 'full'])
      .default('full')
      .describe('Whether a bar of the window attends to the bars up to itself, or to all.'),
    positions: z
      .enum(['sinusoidal', 'learned'])
      .default('sinusoidal')
      .describe('How a bar knows its place in the window.'),
    pooling: z
      .enum(['last', 'mean'])
      .default('last')
      .describe(
        "What the forecast is read from: the newest bar, or the mean over the window's bars.",
      ),
    ...trainingFields,
    ...classFields,
    warmupSteps: z
      .int()
      .min(0)
      .max(100_000)
      .default(100)
      .describe('Steps over which the learning rate rises from 0 to its value.'),
    weightDecay: z
      .number()
      .min(0)
      .max(1)
      .default(0.01)
      .describe('Decay of the matrices a step, times the learning rate (AdamW).'),
  })
  .refine(({ dModel, heads }) => dModel % heads === 0, {
    path: ['heads'],
    message: 'dModel must be a multiple of heads',
  })
  .refine(({ dModel, positions }) => positions === 'learned' || dModel % 2 === 0, {
    path: ['dModel'],
    message: 'sinusoidal positions need an even dModel',
  });
export type TransformerParams = z.output<typeof transformerParams>;

/** Encoder over the bars of the window (Vaswani et al., 2017), normalised before each half (Xiong et al., 2020). */
export const transformer = defineModel({
  name: 'transformer',
  docs:
    'Transformer encoder over the bars of the window: multi-head attention, causal or full, and a relu layer, each ' +
    'normalised before and added to what it read; sinusoidal or learned positions; a linear output for each horizon, or ' +
    'for each of its classes, read from the newest bar or the mean of all. AdamW with warm-up, early stopping, learning rate lowered on a plateau.',
  params: transformerParams,
  traits: {
    tasks: ['regression', 'classification'],
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
  load: () => import('./transformer.impl.ts'),
});
