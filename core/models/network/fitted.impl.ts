import { setImmediate } from 'node:timers/promises';
import type { Tensor1D } from '@tensorflow/tfjs-node';
import { RatchetError } from '../../errors.ts';
import type { ExportContext, ExportedGraphs, FitSummary, FittedModel, Samples } from '../model.ts';
import { assertWindowsFinite, scaleFeatures, unscaleLabels } from '../scaled.ts';
import type { NetworkDesign, NetworkFamily } from './design.ts';
import { softmax } from './head.ts';
import type { TrainingParams } from './params.ts';
import { encodeNetwork, type NetworkState } from './saved.ts';
import type { NativeOps } from './tensorflow.impl.ts';
import type { TrainableNetwork } from './training-job.ts';
import { windowsOver } from './windows.impl.ts';

export class FittedNetwork<P extends TrainingParams> implements FittedModel {
  readonly summary: FitSummary;
  readonly #family: NetworkFamily<P>;
  readonly #state: NetworkState<P>;
  readonly #native: NativeOps;
  readonly #design: NetworkDesign;
  readonly #network: TrainableNetwork;
  readonly #theta: Tensor1D;
  readonly #mean: Tensor1D;
  readonly #variance: Tensor1D;

  constructor(
    family: NetworkFamily<P>,
    native: NativeOps,
    state: NetworkState<P>,
    summary: FitSummary,
  ) {
    this.summary = summary;
    this.#family = family;
    this.#state = state;
    this.#native = native;
    this.#design = family.design(state.params, state);
    this.#network = this.#design.network(native);
    this.#theta = native.tf.tensor1d(state.weights.theta);
    this.#mean = native.tf.tensor1d(state.weights.movingMean);
    this.#variance = native.tf.tensor1d(state.weights.movingVariance);
  }

  async predict(samples: Samples): Promise<Float64Array> {
    const { tf } = this.#native;
    const { inputs, lookback, horizons, classes, scalers } = this.#state;
    if (samples.featureCount !== inputs || samples.lookback !== lookback) {
      throw new RatchetError(
        'model.shape-mismatch',
        `the model reads windows of ${lookback} x ${inputs}, ` +
          `not ${samples.lookback} x ${samples.featureCount}`,
      );
    }
    assertWindowsFinite(samples, 'predicted', lookback);
    const width = horizons * Math.max(classes, 1);
    const out = new Float64Array(samples.endRow.length * width);
    const scaled = scaleFeatures(samples, scalers.features);
    const rows = tf.tensor2d(scaled, [scaled.length / inputs, inputs]);
    try {
      const windows = windowsOver(tf, rows, samples, new Float64Array(0));
      for (const indices of windows.slices()) {
        // A long prediction must not keep the process from hearing that its parent is gone.
        await setImmediate();
        const statistics = { mean: this.#mean, variance: this.#variance };
        const values = tf.tidy(() =>
          this.#network.predict(this.#theta, statistics, windows.inputs(indices)).dataSync(),
        );
        out.set(values, indices[0]! * width);
      }
    } finally {
      rows.dispose();
    }
    return classes > 0 ? softmax(out, classes) : unscaleLabels(out, scalers.labels);
  }

  save(): Uint8Array {
    return encodeNetwork(this.#family, this.#state, this.summary);
  }

  export(ctx: ExportContext): ExportedGraphs {
    return this.#design.graphs(this.#state.weights, ctx);
  }

  dispose(): void {
    this.#network.dispose();
    this.#native.tf.dispose([this.#theta, this.#mean, this.#variance]);
  }
}
