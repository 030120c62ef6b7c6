import type { ExportContext } from '../models/model.ts';
import { Graph } from './graph.ts';
import type { LstmLayerWeights } from './layers.ts';
import { batchNorm, batchNormFactors, cast, dense, mul, relu, scale } from './layers.ts';
import { type Mask, masksFromNoise, noiseWidthOf } from './masks.ts';
import { checkWeights, outputLayers, sharedWidth, type LstmNetWeights } from './networks.ts';
import { finish, metadataOf } from './outputs.ts';

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

/** One LSTM layer of the samples: names of the outer graph's values, read in each time step. */
interface SampledLayer {
  readonly units: number;
  /** [inputs, 4 units], [units, 4 units] and [4 units], gates in Keras' order. */
  readonly kernel: string;
  readonly recurrent: string;
  readonly bias: string;
  /** What the input is multiplied with, [S, inputs]: its mask, and the batch norm's factor. */
  readonly inputFactor: string;
  /** What is added to that: the batch norm's masked shift. */
  readonly inputShift?: string;
  /** [S, units]. */
  readonly recurrentMask: string;
}

/**
 * The batch norm of the layer before, h * factor + shift, is taken with the mask of the input, because both stay the
 * same over time.
 */
function sampledLayer(
  g: Graph,
  w: LstmLayerWeights,
  before: { readonly factor: Float32Array; readonly shift: Float32Array } | undefined,
  masks: { readonly input: string; readonly recurrent: string },
): SampledLayer {
  const { units, inputs } = w;
  const kernel = g.constant(w.kernel, [inputs, 4 * units]);
  const recurrent = g.constant(w.recurrent, [units, 4 * units]);
  const bias = g.constant(w.bias);
  const layer = { units, kernel, recurrent, bias, recurrentMask: masks.recurrent };
  if (!before) return { ...layer, inputFactor: masks.input };
  const masked = (vector: Float32Array): string => mul(g, masks.input, g.constant(vector));
  return { ...layer, inputFactor: masked(before.factor), inputShift: masked(before.shift) };
}

/** Values of the Scan's body that a layer carries from step to step, [S, units] each. */
interface LayerState {
  readonly c: string;
  /** What the layer gave, times its recurrent mask. */
  readonly h: string;
}

/** One time step of one layer: x [S, inputs] -> h [S, units]; what it carries on are outputs of the body. */
function sampledStep(
  body: Graph,
  x: string,
  { units, kernel, recurrent, bias, inputFactor, inputShift, recurrentMask }: SampledLayer,
  { h, c }: LayerState,
): string {
  const scaled = mul(body, x, inputFactor);
  const seen = inputShift ? body.op('Add', [scaled, inputShift]) : scaled;
  const gates = body.op('Gemm', [h, recurrent, body.op('Gemm', [seen, kernel, bias])]);
  const four = body.ints(units, units, units, units);
  const [i, f, candidate, o] = body.opMany('Split', [gates, four], 4, { axis: { int: 1 } });
  const gate = (z: string | undefined): string => body.op('Sigmoid', [z!]);
  const added = mul(body, gate(i), body.op('Tanh', [candidate!]));
  const kept = mul(body, gate(f), c);
  const next = { elem: 'float32', dims: ['S', units] } as const;
  const cell = body.outputOf('Add', [kept, added], { name: `${c}_next`, ...next });
  const hidden = mul(body, gate(o), body.op('Tanh', [cell]));
  body.outputOf('Mul', [hidden, recurrentMask], { name: `${h}_next`, ...next });
  return hidden;
}

/**
 * The LSTM layers of S samples with a recurrent mask for each, spelled out under one Scan over time, because the
 * LSTM operator knows one recurrent matrix for all rows. All layers take a step together: what they hand on stays in
 * the processor's cache. x [T, 1, inputs] -> [S, units], what the last layer gives at the last step.
 */
function sampledLayers(g: Graph, x: string, layers: readonly SampledLayer[]): string {
  const body = new Graph('step', 'step_');
  const states = layers.map(({ units }, k): LayerState => {
    const [c, h] = ['cell', 'hidden'].map((what) => {
      return body.input(`step_${what}${k + 1}`, 'float32', ['S', units]);
    });
    return { c: c!, h: h! };
  });
  const { units, recurrentMask } = layers.at(-1)!;
  const last = { name: 'step_y_next', elem: 'float32', dims: ['S', units] } as const;
  body.input('step_y', last.elem, last.dims);
  let value = body.input('step_x', 'float32', [1, 'inputs']);
  layers.forEach((layer, k) => {
    value = sampledStep(body, value, layer, states[k]!);
  });
  body.output(value, last.name, last.elem, last.dims);
  const zero = (mask: string): string => mul(g, mask, g.scalar(0));
  const start = layers.map((layer) => zero(layer.recurrentMask));
  const initial = [...start.flatMap((state) => [state, state]), zero(recurrentMask)];
  const attributes = { body: { body }, num_scan_inputs: { int: 1 } };
  return g.opMany('Scan', [...initial, x], initial.length, attributes).at(-1)!;
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
  const steps = g.op('Transpose', [scaled], { perm: { ints: [1, 0, 2] } });
  const folded = weights.lstm.map((w) => batchNormFactors(w, weights.batchNormEpsilon));
  const layers = weights.lstm.map((w, k) =>
    sampledLayer(g, w, folded[k - 1], {
      input: masks[2 * k]!,
      recurrent: masks[2 * k + 1]!,
    }),
  );
  const newest = sampledLayers(g, steps, layers);
  let h = batchNorm(g, newest, weights.lstm.at(-1)!, weights.batchNormEpsilon);
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
