import type { ExportContext } from '../models/model.ts';
import { Graph } from './graph.ts';
import { scale } from './layers.ts';
import { check, checkContext, finish, give, graphOutputs, metadataOf } from './outputs.ts';

/** y = scaled last row x coefficients + intercepts, all in float64; of classes: logits. */
export interface LinearWeights {
  /** Row-major [inputs x outputs]. */
  readonly coefficients: Float64Array;
  /** [outputs]. */
  readonly intercepts: Float64Array;
}

/** Adds the input `x`, and gives its newest row, scaled [N, features]. */
function scaledRow(g: Graph, ctx: ExportContext): string {
  checkContext(ctx);
  const x = g.input('x', 'float64', ['N', ctx.lookback, ctx.featureNames.length]);
  const last = g.op('Gather', [x, g.constant(BigInt64Array.of(BigInt(ctx.lookback - 1)), [])], {
    axis: { int: 1 },
  });
  return scale(g, last, ctx.scalers.features);
}

/** row [N, inputs] -> [N, outputs]. */
function layer(g: Graph, row: string, inputs: number, weights: LinearWeights): string {
  const { coefficients, intercepts } = weights;
  check(coefficients.length === inputs * intercepts.length, 'coefficients');
  const product = g.op('MatMul', [row, g.constant(coefficients, [inputs, intercepts.length])]);
  return g.op('Add', [product, g.constant(intercepts)]);
}

/** Adds the raw outputs [N, outputs] of a linear model of the window's last row. */
function linear(g: Graph, weights: LinearWeights, ctx: ExportContext): string {
  check(weights.intercepts.length === graphOutputs(ctx), 'intercepts');
  return layer(g, scaledRow(g, ctx), ctx.featureNames.length, weights);
}

/**
 * A linear model of the window's last row: scaling -> last row x coefficients + intercepts -> label units or
 * probabilities, all in float64. Inputs and output as `buildForecasterGraph`. With all weights zero the answer is the
 * label scaler's offset.
 */
export function buildLinearGraph(weights: LinearWeights, ctx: ExportContext): Uint8Array {
  const g = new Graph('linear-forecaster');
  finish(g, linear(g, weights, ctx), ctx, 'N');
  return g.toModel(metadataOf(ctx));
}

/** The same answer to every window: label units or probabilities by horizon, [outputs]. */
export function buildConstantGraph(answers: Float64Array, ctx: ExportContext): Uint8Array {
  const g = new Graph('constant-forecaster');
  const coefficients = new Float64Array(ctx.featureNames.length * answers.length);
  give(g, linear(g, { coefficients, intercepts: answers }, ctx), ctx, 'N');
  return g.toModel(metadataOf(ctx));
}

/**
 * Layers on the window's last row with tanh between them, all in float64; inputs and output as `buildLinearGraph`, whose
 * graph it is where there is one layer.
 */
export function buildTanhGraph(layers: readonly LinearWeights[], ctx: ExportContext): Uint8Array {
  const last = layers.at(-1);
  check(last?.intercepts.length === graphOutputs(ctx), 'intercepts');
  if (layers.length === 1) return buildLinearGraph(layers[0]!, ctx);
  const g = new Graph('tanh-forecaster');
  let inputs = ctx.featureNames.length;
  const raw = layers.reduce(
    (row, weights) => {
      const out = layer(g, row, inputs, weights);
      inputs = weights.intercepts.length;
      return weights === last ? out : g.op('Tanh', [out]);
    },
    scaledRow(g, ctx),
  );
  finish(g, raw, ctx, 'N');
  return g.toModel(metadataOf(ctx));
}
