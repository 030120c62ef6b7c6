import type { ExportContext } from '../models/model.ts';
import { Graph } from './graph.ts';
import type { BranchWeights, DenseWeights, LstmLayerWeights } from './layers.ts';
import { batchNorm, cast, dense, joinBranches, lstm, relu, scale } from './layers.ts';
import { check, checkContext, finish, graphOutputs, metadataOf } from './outputs.ts';

export type { BranchWeights, DenseWeights, LstmLayerWeights } from './layers.ts';
export { buildLinearGraph } from './linear.ts';

/** All weights of a stacked LSTM network, in Keras layout (gates i, f, c, o). */
export interface LstmNetWeights {
  /** First to last; layer k's `inputs` are layer k - 1's `units`. */
  readonly lstm: readonly LstmLayerWeights[];
  /** Shared relu layers after the last LSTM. */
  readonly dense: readonly DenseWeights[];
  /** One per horizon, in the order of the horizons; none where there is `output`. */
  readonly branches: readonly BranchWeights[];
  /** Instead of branches: one linear layer that reads the last shared one, [width x outputs]. */
  readonly output?: DenseWeights;
  readonly batchNormEpsilon: number;
  /** Used by the Monte-Carlo graph only. `dropout`: LSTM inputs, dense and branch outputs, what the output layer reads. */
  readonly rates: { readonly dropout: number; readonly recurrentDropout: number };
}

function checkDense(w: DenseWeights, inputs: number, what: string): void {
  check(w.inputs === inputs, `${what} takes ${w.inputs} inputs, gets ${inputs}`);
  check(w.kernel.length === w.inputs * w.units && w.bias.length === w.units, what);
}

/** Throws `onnx.shape` with the layer that does not fit. */
export function checkWeights(weights: LstmNetWeights, ctx: ExportContext): void {
  checkContext(ctx);
  check(weights.lstm.length > 0, 'no LSTM layer');
  let inputs = ctx.featureNames.length;
  weights.lstm.forEach((w, k) => {
    const name = `LSTM layer ${k + 1}`;
    check(w.inputs === inputs, `${name} takes ${w.inputs} inputs, gets ${inputs}`);
    check(w.kernel.length === inputs * 4 * w.units, `${name}, kernel`);
    check(w.recurrent.length === 4 * w.units ** 2, `${name}, recurrent kernel`);
    check(w.bias.length === 4 * w.units, `${name}, bias`);
    for (const vector of [w.gamma, w.beta, w.movingMean, w.movingVariance]) {
      check(vector.length === w.units, `${name}, batch norm`);
    }
    inputs = w.units;
  });
  weights.dense.forEach((w, k) => {
    checkDense(w, inputs, `dense layer ${k + 1}`);
    inputs = w.units;
  });
  if (weights.output) {
    checkDense(weights.output, inputs, 'output layer');
    check(weights.output.units === graphOutputs(ctx), 'one output per horizon and class');
    return;
  }
  check(weights.branches.length === ctx.horizons.length, 'one branch per horizon');
  check(ctx.classes === 0, 'branches give one value');
  weights.branches.forEach((branch, k) => {
    checkDense(branch.hidden, inputs, `branch ${k + 1}`);
    check(branch.output.kernel.length === branch.hidden.units, `branch ${k + 1}, output`);
  });
}

/** What stands behind the shared layers. */
export function outputLayers({ branches, output }: LstmNetWeights): {
  readonly hidden?: DenseWeights;
  readonly output: DenseWeights;
} {
  return output ? { output } : joinBranches(branches);
}

/** x [N, lookback, features] unscaled -> [N, width] float32: what the last shared layer gives. */
export function sharedLayers(
  g: Graph,
  x: string,
  weights: LstmNetWeights,
  ctx: ExportContext,
): string {
  const scaled = cast(g, scale(g, x, ctx.scalers.features), 'float32');
  let h = g.op('Transpose', [scaled], { perm: { ints: [1, 0, 2] } });
  weights.lstm.forEach((w, k) => {
    const last = k === weights.lstm.length - 1;
    h = batchNorm(g, lstm(g, h, w, last), w, weights.batchNormEpsilon);
  });
  for (const w of weights.dense) h = relu(g, dense(g, h, w));
  return h;
}

/** Width of what the last shared layer gives. */
export const sharedWidth = ({ lstm: layers, dense: shared }: LstmNetWeights): number =>
  (shared.at(-1) ?? layers.at(-1)!).units;

/**
 * What the network has learnt to see in a window, for models that are trained on it: `x` as
 * `buildForecasterGraph` -> `y` float64 [N, sharedWidth].
 */
export function buildFeatureGraph(weights: LstmNetWeights, ctx: ExportContext): Uint8Array {
  checkWeights(weights, ctx);
  const g = new Graph('lstm-features');
  const x = g.input('x', 'float64', ['N', ctx.lookback, ctx.featureNames.length]);
  const features = cast(g, sharedLayers(g, x, weights, ctx), 'float64');
  g.output(features, 'y', 'float64', ['N', sharedWidth(weights)]);
  return g.toModel(metadataOf(ctx));
}

/**
 * The forecaster as one graph: scaling (float64, clipped) -> float32 -> LSTM layers, each with batch
 * norm -> shared relu layers -> a relu and a linear layer per horizon, or one linear layer -> float64 label units, or
 * the probabilities of the classes.
 *
 * Inputs: `x` float64 [N, lookback, features], unscaled; with `ctx.multiplyByClose` also `close`
 * float64 [N, 1]. Output: `y` float64 [N, outputs]. Throws `onnx.shape` where the weights do not fit.
 */
export function buildForecasterGraph(weights: LstmNetWeights, ctx: ExportContext): Uint8Array {
  checkWeights(weights, ctx);
  const g = new Graph('lstm-forecaster');
  const x = g.input('x', 'float64', ['N', ctx.lookback, ctx.featureNames.length]);
  const shared = sharedLayers(g, x, weights, ctx);
  const { hidden, output } = outputLayers(weights);
  const y = dense(g, hidden ? relu(g, dense(g, shared, hidden)) : shared, output);
  finish(g, cast(g, y, 'float64'), ctx, 'N');
  return g.toModel(metadataOf(ctx));
}
