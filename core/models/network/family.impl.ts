import { createHash } from 'node:crypto';
import type { Tensor2D } from '@tensorflow/tfjs-node';
import {
  type FitContext,
  type FitSummary,
  type FittedModel,
  type ModelImplementation,
  type Samples,
  twinLacks,
  unlikeParent,
} from '../model.ts';
import { assertUsable, scaleFeatures, scaleLabels } from '../scaled.ts';
import type { DataSizes, NetworkDesign, NetworkFamily } from './design.ts';
import { FittedNetwork } from './fitted.impl.ts';
import { classWeightsOf, type HeadTask } from './head.ts';
import type { FlatWeights } from './layout.ts';
import { lossWeightsFor, type TrainingParams } from './params.ts';
import type { Rates } from './progress.ts';
import { decodeNetwork, type NetworkState } from './saved.ts';
import { loadTensorflow, type NativeOps } from './tensorflow.impl.ts';
import type { Course, TrainingResult } from './training-job.ts';
import { trainNetwork } from './training.impl.ts';
import { windowsOver, type WindowSet } from './windows.impl.ts';

/** What chooses epoch and learning rates: validation rows, or the fit that is repeated. */
type Chooser = { readonly valid: Samples } | { readonly rates: Rates };

const sizesOf = ({ featureCount, lookback, horizons, classes }: Samples): DataSizes => ({
  inputs: featureCount,
  lookback,
  horizons: horizons.length,
  classes,
});

function headOf(params: TrainingParams, { labels, horizons, classes }: Samples): HeadTask {
  const lossWeights = lossWeightsFor(params, horizons.length);
  if (classes === 0) return { kind: 'regression', lossWeights };
  const weighting = params.classWeights ?? 'none';
  const classWeights = classWeightsOf(weighting, labels, horizons.length, classes);
  return { kind: 'classification', lossWeights, classes, classWeights };
}

function digestOf({ theta, movingMean, movingVariance }: FlatWeights): string {
  const hash = createHash('sha256');
  for (const array of [theta, movingMean, movingVariance]) {
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest('hex');
}

/**
 * Everything that decides the weights but how long is trained, short: a checkpoint that says
 * otherwise is of another fit, and a fit with more epochs can go on from one with fewer.
 */
function fingerprintOf(asked: unknown, train: Samples, chooser: Chooser): string {
  const hash = createHash('sha256');
  const { featureCount, lookback, horizons } = train;
  const followed = 'rates' in chooser ? { rates: chooser.rates } : {};
  hash.update(JSON.stringify({ asked, featureCount, lookback, horizons, ...followed }));
  for (const { endRow } of 'valid' in chooser ? [train, chooser.valid] : [train]) {
    hash.update(new Uint8Array(endRow.buffer, endRow.byteOffset, endRow.byteLength));
  }
  return hash.digest('hex');
}

/** Where a training begins: the weights of its parent, or those that the seed draws. */
function initialWeights<P extends TrainingParams>(
  family: NetworkFamily<P>,
  design: NetworkDesign,
  sizes: DataSizes,
  { seed, parent }: FitContext,
): FlatWeights {
  const drawn = design.initialWeights(seed);
  if (parent === undefined) return drawn;
  const { state } = decodeNetwork<P>(family, parent);
  const same = (Object.keys(sizes) as (keyof DataSizes)[]).every(
    (key) => state[key] === sizes[key],
  );
  if (!same) throw unlikeParent('features, lookback, horizons or classes');
  const { layout } = family.design(state.params, sizes);
  if (JSON.stringify(layout) !== JSON.stringify(design.layout)) throw unlikeParent('layers');
  return state.weights;
}

const digestOfBytes = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

interface Trained<P> {
  readonly native: NativeOps;
  readonly state: NetworkState<P>;
  readonly result: TrainingResult;
}

async function train<P extends TrainingParams>(
  family: NetworkFamily<P>,
  params: P,
  { train, chooser }: { readonly train: Samples; readonly chooser: Chooser },
  context: FitContext,
): Promise<Trained<P>> {
  assertUsable(train, 'train', 'window');
  if ('valid' in chooser) assertUsable(chooser.valid, 'valid', 'window');
  const head = headOf(params, train);
  const native = loadTensorflow();
  const { scalers, seed } = context;
  const sizes = sizesOf(train);
  const { epochs: _epochs, ...untimed } = params;
  const design = family.design(params, sizes);
  const network = design.network(native, { head, seed });
  // Both parts are windows over one matrix, which is scaled once.
  const rows: Tensor2D = native.tf.tensor2d(scaleFeatures(train, scalers.features), [
    train.features.length / train.featureCount,
    train.featureCount,
  ]);
  const setOf = (samples: Samples): WindowSet =>
    windowsOver(native.tf, rows, samples, scaleLabels(samples, scalers.labels));
  const course: Course =
    'valid' in chooser
      ? { kind: 'choose', valid: setOf(chooser.valid) }
      : { kind: 'follow', rates: chooser.rates };
  try {
    const result = await trainNetwork({
      native,
      network,
      layout: design.layout,
      initial: initialWeights(family, design, sizes, context),
      params,
      head,
      train: setOf(train),
      course,
      context,
      fingerprint: fingerprintOf(
        {
          kind: family.kind,
          params: untimed,
          seed,
          ...(context.parent && { parent: digestOfBytes(context.parent) }),
        },
        train,
        chooser,
      ),
    });
    return { native, state: { params, ...sizes, scalers, weights: result.weights }, result };
  } finally {
    rows.dispose();
    network.dispose();
  }
}

/**
 * The learning rates that led the twin to the weights it kept; throws `training.twin` where they
 * are not there.
 */
function ratesOf(twin: FitSummary): Rates {
  const rates = twin.history.slice(0, twin.bestEpoch).map((epoch) => epoch.learningRate);
  if (rates.length === 0 || rates.length < twin.bestEpoch) throw twinLacks('its learning rates');
  return rates;
}

/** All that a model family does, for a family of networks. */
export function networkImplementation<P extends TrainingParams>(
  family: NetworkFamily<P>,
): ModelImplementation<P> {
  const fitted = ({ native, state, result }: Trained<P>, bestValidLoss: number): FittedModel =>
    new FittedNetwork(family, native, state, {
      epochsRun: result.history.length,
      bestEpoch: result.bestEpoch,
      bestValidLoss,
      weightsDigest: digestOf(state.weights),
      history: result.history,
    });
  return {
    async fit(params, trainRows, valid, context) {
      const parts = { train: trainRows, chooser: { valid } };
      const trained = await train(family, params, parts, context);
      return fitted(trained, trained.result.bestValidLoss!);
    },
    async refit(params, twin, trainRows, context) {
      const parts = { train: trainRows, chooser: { rates: ratesOf(twin) } };
      return fitted(await train(family, params, parts, context), twin.bestValidLoss);
    },
    async restore(bytes) {
      const { state, summary } = decodeNetwork<P>(family, bytes);
      return new FittedNetwork(family, loadTensorflow(), state, summary);
    },
    libraries: () => ({ tensorflow: loadTensorflow().version }),
  };
}
