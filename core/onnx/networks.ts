import type { ExportContext } from '../models/model.ts';
import { Graph } from './graph.ts';
import type { BranchWeights, DenseWeights, LstmLayerWeights } from './layers.ts';
import {
  batchNorm,
  cast,
  dense,
  joinBranches,
  lstm,
  mul,
  relu,
  scale,
  sigmoidGatesFirst,
} from './layers.ts';
import { type Mask, masksFromNoise, noiseWidthOf } from './masks.ts';
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
function outputLayers({ branches, output }: LstmNetWeights): {
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

/** The mask of what the outputs read, unless that is a shared layer, which has one. */
function lastMask(weights: LstmNetWeights): readonly Mask[] {
  const { hidden } = outputLayers(weights);
  if (!hidden && weights.dense.length > 0) return [];
  return [{ width: hidden?.units ?? sharedWidth(weights), rate: weights.rates.dropout }];
}

/** The masks of one sample in the order of the noise columns. */
function maskPlan(weights: LstmNetWeights): readonly Mask[] {
  const { dropout, recurrentDropout } = weights.rates;
  return [
    ...weights.lstm.flatMap((w) => [
      { width: w.inputs, rate: dropout },
      { width: w.units, rate: recurrentDropout },
    ]),
    ...weights.dense.map((w) => ({ width: w.units, rate: dropout })),
    ...lastMask(weights),
  ];
}

/**
 * One LSTM layer with its own recurrent mask per sample, spelled out under Scan over time, because the
 * LSTM operator knows one recurrent matrix for all rows. x [T, S, inputs], mask [S, units].
 */
function maskedLstm(
  g: Graph,
  x: string,
  w: LstmLayerWeights,
  mask: string,
  options: { tag: string; lastStepOnly: boolean },
): string {
  const { units } = w;
  const kernel = g.constant(sigmoidGatesFirst(w.kernel, units), [w.inputs, 4 * units]);
  const recurrent = g.constant(sigmoidGatesFirst(w.recurrent, units), [units, 4 * units]);
  const bias = g.constant(sigmoidGatesFirst(w.bias, units));
  const projected = g.op('Add', [g.op('MatMul', [x, kernel]), bias]);
  const body = new Graph(`${options.tag}-step`, `${options.tag}_`);
  const h = body.input(`${options.tag}_h`, 'float32', ['S', units]);
  const c = body.input(`${options.tag}_c`, 'float32', ['S', units]);
  const z = body.input(`${options.tag}_z`, 'float32', ['S', 4 * units]);
  const gates = body.op('Gemm', [mul(body, h, mask), recurrent, z]);
  const axis = { axis: { int: 1 } };
  const [sigmoids, candidate] = body.opMany('Split', [gates, body.ints(3 * units, units)], 2, axis);
  const ifo = body.op('Sigmoid', [sigmoids!]);
  const [i, f, o] = body.opMany('Split', [ifo, body.ints(units, units, units)], 3, axis);
  const kept = mul(body, f!, c);
  const cell = body.op('Add', [kept, mul(body, i!, body.op('Tanh', [candidate!]))]);
  const hidden = mul(body, o!, body.op('Tanh', [cell]));
  body.output(hidden, `${options.tag}_h_next`, 'float32', ['S', units]);
  body.output(cell, `${options.tag}_c_next`, 'float32', ['S', units]);
  if (!options.lastStepOnly) body.output(hidden, `${options.tag}_y`, 'float32', ['S', units]);
  const zero = mul(g, mask, g.scalar(0));
  const out = g.opMany('Scan', [zero, zero, projected], options.lastStepOnly ? 2 : 3, {
    body: { body },
    num_scan_inputs: { int: 1 },
  });
  return options.lastStepOnly ? out[0]! : out[2]!;
}

/**
 * The forecaster with dropout really on, for S samples of one window: Keras' semantics, a mask per
 * sample that is constant over time and shared by the four gates; batch norm stays at inference.
 *
 * Inputs: `x` float64 [1, lookback, features], `noise` float32 [S, noiseWidth] uniform in [0, 1); with
 * `ctx.multiplyByClose` also `close` float64 [1, 1]. Output: `y` float64 [S, outputs]. The rates live in
 * the graph, the randomness in the caller: same noise, same samples; sample k does not depend on S.
 */
export function buildMonteCarloGraph(
  weights: LstmNetWeights,
  ctx: ExportContext,
): { readonly graph: Uint8Array; readonly noiseWidth: number } {
  checkWeights(weights, ctx);
  const plan = maskPlan(weights);
  const noiseWidth = noiseWidthOf(plan);
  const g = new Graph('lstm-forecaster-monte-carlo');
  const x = g.input('x', 'float64', [1, ctx.lookback, ctx.featureNames.length]);
  const masks = masksFromNoise(g, g.input('noise', 'float32', ['S', noiseWidth]), plan);
  const scaled = cast(g, scale(g, x, ctx.scalers.features), 'float32');
  let h = g.op('Transpose', [scaled], { perm: { ints: [1, 0, 2] } });
  weights.lstm.forEach((w, k) => {
    const options = { tag: `l${k + 1}`, lastStepOnly: k === weights.lstm.length - 1 };
    const masked = maskedLstm(g, mul(g, h, masks[2 * k]!), w, masks[2 * k + 1]!, options);
    h = batchNorm(g, masked, w, weights.batchNormEpsilon);
  });
  weights.dense.forEach((w, k) => {
    h = mul(g, relu(g, dense(g, h, w)), masks[2 * weights.lstm.length + k]!);
  });
  const { hidden, output } = outputLayers(weights);
  if (hidden) h = relu(g, dense(g, h, hidden));
  if (lastMask(weights).length > 0) h = mul(g, h, masks.at(-1)!);
  const y = dense(g, h, output);
  finish(g, cast(g, y, 'float64'), ctx, 'S');
  return { graph: g.toModel(metadataOf(ctx)), noiseWidth };
}
