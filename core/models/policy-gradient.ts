import { z } from 'zod';
import { defineModel } from './model.ts';
import { trainingFields } from './network/params.ts';

const bps = z.number().min(0).max(1_000);

export const policyGradientParams = z.strictObject({
  hidden: z
    .int()
    .min(0)
    .max(256)
    .default(0)
    .meta({ search: { choices: [0, 8, 16] } })
    .describe('Units of a hidden layer of tanh; 0: actions are a linear function of the row.'),
  rollouts: z
    .int()
    .min(2)
    .max(256)
    .default(16)
    .describe(
      'How often each episode is played before a step; each is the baseline of the others.',
    ),
  episodeBars: z
    .int()
    .min(2)
    .max(10_000)
    .default(250)
    .describe(
      'A longer stretch of training rows is cut into episodes of at most so many decisions.',
    ),
  entropy: z
    .number()
    .min(0)
    .max(10)
    .default(0.02)
    .meta({ search: { low: 1e-3, high: 0.2, scale: 'log' } })
    .describe(
      'Weight of the entropy of actions beside the reward of a decision in SDs of the market.',
    ),
  penalty: z
    .number()
    .min(0)
    .max(100)
    .default(0.03)
    .meta({ search: { low: 1e-4, high: 1, scale: 'log' } })
    .describe('L2 penalty on the coefficients; intercepts are not penalised.'),
  market: z
    .strictObject({
      fill: z
        .enum(['nextOpen', 'nextClose'])
        .default('nextOpen')
        .describe('What is decided at the close of a bar fills at the open or close of the next.'),
      costs: z
        .strictObject({
          feeBps: bps.describe('Fee on the traded value, each side.'),
          slippageBps: bps.describe('How much worse than the bar the fill is, each side.'),
        })
        .optional()
        .describe(
          'Absent: of the market, as in backtests (24x7: 5 bp + 2 bp; exchange: 0 + 2 bp).',
        ),
      borrowBpsPerYear: z
        .number()
        .min(0)
        .max(10_000)
        .default(0)
        .describe('Of the value of shorts.'),
      allowShort: z
        .boolean()
        .default(true)
        .describe(
          'Else the action of a falling class is to be flat, as in backtests without shorts.',
        ),
    })
    .prefault({})
    .describe('Rules of the market that the agent learns in: give a backtest of it the same.'),
  learningRate: trainingFields.learningRate.default(0.01),
  epochs: trainingFields.epochs,
  earlyStopping: z
    .strictObject({
      patience: z.int().min(1).max(10_000).default(20).describe('Epochs without a better reward.'),
      minDelta: z.number().min(0).max(1e6).default(0).describe('Least gain that counts as better.'),
    })
    .prefault({})
    .describe('Stops on the reward of the mean positions in the validation part, after costs.'),
  reduceLr: trainingFields.reduceLr,
});
export type PolicyGradientParams = z.output<typeof policyGradientParams>;

/** A softmax policy that learns from what its actions bring in the backtest engine (Williams, 1992). */
export const policyGradient = defineModel({
  name: 'policy-gradient',
  docs:
    'Agent that learns by trading (REINFORCE, Williams 1992): the classes of the label are its actions (falling: short, ' +
    'neither: flat, rising: long), held for the horizon; its reward is the log change of equity in the backtest engine ' +
    'over the training rows, after costs; a softmax of the newest scaled row, linear or with one hidden layer. Its ' +
    'probabilities say what to do, not what will come: p(rise) - p(fall) is its mean position, and nothing calibrates them.',
  params: policyGradientParams,
  traits: {
    tasks: ['classification'],
    needsScaling: true,
    sequence: false,
    stochastic: true,
    needsTensorflow: false,
    learnsByTrading: true,
    canContinue: true,
    monteCarlo: false,
    iteration: 'epoch',
    budget: 'epochs',
  },
  version: 1,
  load: () => import('./policy-gradient.impl.ts'),
});
