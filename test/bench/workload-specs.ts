/** Experiments that measures of a running product train. All of their bars lie in examples/. */
import { smallSpec } from '../support/product.ts';

/** No schedule of a model that was trained for one round may work in the next one. */
const QUIET = { monitor: { schedule: 'off' }, baselines: ['naive'] };

/** One narrow network, two epochs, through every step of the chain; its first version is promoted. */
export const smallExperiment = (model: string, seed: number): object => ({
  ...smallSpec,
  ...QUIET,
  ...{ name: model, model, seeds: [seed] },
});

/** The network of the index predictor: 60 x 152, LSTM 50 + 50, three horizons, every dropout on. */
export const INDEX_NETWORK = {
  ...{ units: [50, 50], dropout: 0.2, recurrentDropout: 0.2, dense: [25], branch: 16 },
  ...{ lossWeights: [0.5, 0.3, 0.2], learningRate: 0.001, batchSize: 32 },
};
const INDEX_INPUT = {
  ...{ features: 'technical-152', lookback: 60, family: 'lstm-multi-horizon' },
  label: { kind: 'forwardLogReturn', horizons: [7, 14, 30] },
  scaling: { features: 'minmax', labels: 'minmax' },
};

export interface IndexSize {
  readonly trainBars: number;
  readonly validBars: number;
  readonly epochs: number;
}

/**
 * Two symbols, two seeds: four trainings of the index predictor, each of exactly that many epochs. No samples are drawn for
 * a confidence: the peer, which only trains, has nothing of the kind.
 */
export const indexExperiment = (seeds: readonly number[], size: IndexSize): object => ({
  ...INDEX_INPUT,
  ...QUIET,
  ...{ name: 'jobs', model: 'jobs-{instrument}', seeds, confidence: { method: 'none' } },
  data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC', '^IXIC'] },
  split: {
    ...{ kind: 'recent', trainBars: size.trainBars, validBars: size.validBars },
    testBars: 250,
  },
  hyperparameters: {
    ...INDEX_NETWORK,
    epochs: size.epochs,
    earlyStopping: { patience: size.epochs },
  },
});

/** The complete training of one index, but for its number of epochs. */
export const wholeIndexExperiment = (seed: number): object => ({
  ...INDEX_INPUT,
  ...QUIET,
  ...{ name: 'whole', model: 'whole', seeds: [seed] },
  data: {
    sources: [{ dataset: 'index-daily' }],
    ...{ instruments: ['^GSPC'], from: '1999-01-01' },
  },
  split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15] },
  hyperparameters: { ...INDEX_NETWORK, epochs: 1 },
});

/** Four models of the index predictor's network, each trained for one short epoch, promoted and served. */
export const servedExperiment: object = {
  ...INDEX_INPUT,
  ...QUIET,
  ...{ name: 'served', model: 'served-{instrument}', seeds: [1] },
  data: {
    sources: [{ dataset: 'us-stocks-lean' }],
    ...{ instruments: ['AAPL', 'BAC', 'SPY', 'GOOG'], from: '2014-04-03' },
  },
  split: { kind: 'recent', trainBars: 256, validBars: 64, testBars: 128 },
  hyperparameters: { ...INDEX_NETWORK, epochs: 1 },
};

/**
 * A search of small networks: every trial trains in a process of its own for some two seconds, longer than that process
 * takes to start, to read its data and to compile. A real one trains for minutes.
 */
export const sweptExperiment = (model: string, seed: number, trials: number): object => ({
  ...smallExperiment(model, seed),
  hyperparameters: {
    ...smallSpec.hyperparameters,
    ...{ epochs: 10, earlyStopping: { patience: 10 } },
  },
  tune: {
    ...{ search: 'random', trials, parallel: 4, pruner: 'none', seed },
    space: {
      learningRate: { low: 0.0001, high: 0.01, scale: 'log' },
      dropout: { low: 0, high: 0.5 },
    },
  },
});

/** A training that goes on until it is stopped, in epochs of about a second. */
export const longExperiment = (model: string, seed: number): object => ({
  ...smallExperiment(model, seed),
  hyperparameters: {
    ...smallSpec.hyperparameters,
    ...{ units: [16, 16], epochs: 1_000, earlyStopping: { patience: 1_000 } },
  },
});
