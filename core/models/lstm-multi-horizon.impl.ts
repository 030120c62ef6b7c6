import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-node';
import { RatchetError } from '../errors.ts';
import { buildForecasterGraph, buildMonteCarloGraph } from '../onnx/networks.ts';
import type { LstmParams } from './lstm-multi-horizon.ts';
import { initialWeights } from './lstm/initialise.ts';
import { layoutOf, shapeOf, toNetWeights, type Layout } from './lstm/layout.ts';
import { Network } from './lstm/network.impl.ts';
import type { FlatWeights } from './network/layout.ts';
import { lossWeightsFor } from './network/params.ts';
import type { Rates } from './network/progress.ts';
import { loadTensorflow, type NativeOps } from './network/tensorflow.impl.ts';
import type { TrainingResult } from './network/training-job.ts';
import { trainNetwork } from './network/training.impl.ts';
import { WindowSet } from './network/windows.impl.ts';
import {
  type ExportContext,
  type FitContext,
  type FitSummary,
  type FittedModel,
  type ModelImplementation,
  type Samples,
  twinLacks,
} from './model.ts';
import {
  assertUsable,
  assertWindowsFinite,
  scaleFeatures,
  scaleLabels,
  unscaleLabels,
} from './scaled.ts';
import { decodeSections, encodeSections, sectionOrThrow } from './sections.ts';

const KIND = 'lstm-model';
const VERSION = 1;

/** All that a fitted network is, apart from its summary. */
interface State {
  readonly params: LstmParams;
  readonly inputs: number;
  readonly horizons: number;
  readonly lookback: number;
  readonly scalers: FitContext['scalers'];
  readonly weights: FlatWeights;
}

const layoutFor = ({ params, inputs, horizons }: State): Layout =>
  layoutOf(shapeOf(params, inputs, horizons));

function digestOf({ theta, movingMean, movingVariance }: FlatWeights): string {
  const hash = createHash('sha256');
  for (const array of [theta, movingMean, movingVariance]) {
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest('hex');
}

/** What chooses epoch and learning rates: validation rows, or the fit that is repeated. */
type Chooser = { readonly valid: Samples } | { readonly rates: Rates };

/** Everything that decides the weights, short: a checkpoint that says otherwise is of another fit. */
function fingerprintOf(params: LstmParams, train: Samples, chooser: Chooser, seed: number): string {
  const hash = createHash('sha256');
  const { featureCount, lookback, horizons } = train;
  const followed = 'rates' in chooser ? { rates: chooser.rates } : {};
  hash.update(JSON.stringify({ params, featureCount, lookback, horizons, seed, ...followed }));
  for (const { endRow } of 'valid' in chooser ? [train, chooser.valid] : [train]) {
    hash.update(new Uint8Array(endRow.buffer, endRow.byteOffset, endRow.byteLength));
  }
  return hash.digest('hex');
}

function windowsOf(
  native: NativeOps,
  rows: Tensor2D,
  samples: Samples,
  labels: Float64Array,
): WindowSet {
  const { lookback, endRow, horizons } = samples;
  return new WindowSet(native.tf, rows, { lookback, endRow, labels, horizons: horizons.length });
}

interface Trained {
  readonly native: NativeOps;
  readonly state: State;
  readonly result: TrainingResult;
}

async function train(
  params: LstmParams,
  train: Samples,
  chooser: Chooser,
  context: FitContext,
): Promise<Trained> {
  const lossWeights = lossWeightsFor(params, train.horizons.length);
  assertUsable(train, 'train', 'window');
  if ('valid' in chooser) assertUsable(chooser.valid, 'valid', 'window');
  const native = loadTensorflow();
  const { scalers, seed } = context;
  const layout = layoutOf(shapeOf(params, train.featureCount, train.horizons.length));
  const head = { kind: 'regression' as const, lossWeights };
  const network = new Network(native, { layout, rates: params, head, seed });
  // Both parts are windows over one matrix, which is scaled once.
  const rows = native.tf.tensor2d(scaleFeatures(train, scalers.features), [
    train.features.length / train.featureCount,
    train.featureCount,
  ]);
  const setOf = (samples: Samples): WindowSet =>
    windowsOf(native, rows, samples, scaleLabels(samples, scalers.labels));
  try {
    const result = await trainNetwork({
      native,
      network,
      initial: initialWeights(layout, seed),
      params,
      head,
      train: setOf(train),
      course:
        'valid' in chooser
          ? { kind: 'choose', valid: setOf(chooser.valid) }
          : { kind: 'follow', rates: chooser.rates },
      context,
      fingerprint: fingerprintOf(params, train, chooser, seed),
    });
    const { featureCount: inputs, lookback, horizons } = train;
    const { weights } = result;
    const shape = { params, inputs, horizons: horizons.length, lookback };
    return { native, state: { ...shape, scalers, weights }, result };
  } finally {
    rows.dispose();
    network.dispose();
  }
}

async function fit(
  params: LstmParams,
  trainRows: Samples,
  valid: Samples,
  context: FitContext,
): Promise<FittedModel> {
  const { native, state, result } = await train(params, trainRows, { valid }, context);
  return new FittedNetwork(native, state, {
    epochsRun: result.history.length,
    bestEpoch: result.bestEpoch,
    bestValidLoss: result.bestValidLoss!,
    weightsDigest: digestOf(state.weights),
    history: result.history,
  });
}

/** Its epochs and learning rates are those that led the twin to the weights it kept. */
async function refit(
  params: LstmParams,
  twin: FitSummary,
  trainRows: Samples,
  context: FitContext,
): Promise<FittedModel> {
  const rates = twin.history.slice(0, twin.bestEpoch).map((epoch) => epoch.learningRate);
  if (rates.length === 0 || rates.length < twin.bestEpoch) throw twinLacks('its learning rates');
  const { native, state, result } = await train(params, trainRows, { rates }, context);
  return new FittedNetwork(native, state, {
    epochsRun: result.history.length,
    bestEpoch: result.bestEpoch,
    bestValidLoss: twin.bestValidLoss,
    weightsDigest: digestOf(state.weights),
    history: result.history,
  });
}

class FittedNetwork implements FittedModel {
  readonly summary: FitSummary;
  readonly #state: State;
  readonly #native: NativeOps;
  readonly #network: Network;
  readonly #theta: Tensor1D;
  readonly #mean: Tensor1D;
  readonly #variance: Tensor1D;

  constructor(native: NativeOps, state: State, summary: FitSummary) {
    this.summary = summary;
    this.#state = state;
    this.#native = native;
    this.#network = new Network(native, {
      layout: layoutFor(state),
      rates: { dropout: 0, recurrentDropout: 0 },
      head: { kind: 'regression', lossWeights: lossWeightsFor(state.params, state.horizons) },
      seed: 0,
    });
    this.#theta = native.tf.tensor1d(state.weights.theta);
    this.#mean = native.tf.tensor1d(state.weights.movingMean);
    this.#variance = native.tf.tensor1d(state.weights.movingVariance);
  }

  async predict(samples: Samples): Promise<Float64Array> {
    const { tf } = this.#native;
    const { inputs, lookback, horizons, scalers } = this.#state;
    if (samples.featureCount !== inputs || samples.lookback !== lookback) {
      throw new RatchetError(
        'model.shape-mismatch',
        `the model reads windows of ${lookback} x ${inputs}, ` +
          `not ${samples.lookback} x ${samples.featureCount}`,
      );
    }
    assertWindowsFinite(samples, 'predicted', lookback);
    const out = new Float64Array(samples.endRow.length * horizons);
    const scaled = scaleFeatures(samples, scalers.features);
    const rows = tf.tensor2d(scaled, [scaled.length / inputs, inputs]);
    try {
      const windows = windowsOf(this.#native, rows, samples, new Float64Array(0));
      for (const indices of windows.slices()) {
        // A long prediction must not keep the process from hearing that its parent is gone.
        await setImmediate();
        const statistics = { mean: this.#mean, variance: this.#variance };
        const values = tf.tidy(() =>
          this.#network.predict(this.#theta, statistics, windows.inputs(indices)).dataSync(),
        );
        out.set(values, indices[0]! * horizons);
      }
    } finally {
      rows.dispose();
    }
    return unscaleLabels(out, scalers.labels);
  }

  save(): Uint8Array {
    const { weights, ...meta } = this.#state;
    return encodeSections({
      kind: KIND,
      version: VERSION,
      meta: { ...meta, summary: this.summary },
      sections: { ...weights },
    });
  }

  export(ctx: ExportContext) {
    const { params, weights } = this.#state;
    const { dropout, recurrentDropout } = params;
    const net = toNetWeights(layoutFor(this.#state), weights, { dropout, recurrentDropout });
    return { model: buildForecasterGraph(net, ctx), monteCarlo: buildMonteCarloGraph(net, ctx) };
  }

  dispose(): void {
    this.#network.dispose();
    this.#native.tf.dispose([this.#theta, this.#mean, this.#variance]);
  }
}

export const implementation: ModelImplementation<LstmParams> = {
  fit,
  refit,
  async restore(bytes) {
    const file = decodeSections(bytes, KIND, VERSION);
    const { summary, ...meta } = file.meta as Omit<State, 'weights'> & { summary: FitSummary };
    const weights: FlatWeights = {
      theta: sectionOrThrow(file, 'theta', Float32Array),
      movingMean: sectionOrThrow(file, 'movingMean', Float32Array),
      movingVariance: sectionOrThrow(file, 'movingVariance', Float32Array),
    };
    return new FittedNetwork(loadTensorflow(), { ...meta, weights }, summary);
  },
  libraries: () => ({ tensorflow: loadTensorflow().version }),
};
