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

/** Adds the raw outputs [N, outputs] of a linear model of the window's last row. */
function linear(g: Graph, { coefficients, intercepts }: LinearWeights, ctx: ExportContext): string {
  checkContext(ctx);
  const [f, outputs] = [ctx.featureNames.length, graphOutputs(ctx)];
  check(coefficients.length === f * outputs, 'coefficients');
  check(intercepts.length === outputs, 'intercepts');
  const x = g.input('x', 'float64', ['N', ctx.lookback, f]);
  const last = g.op('Gather', [x, g.constant(BigInt64Array.of(BigInt(ctx.lookback - 1)), [])], {
    axis: { int: 1 },
  });
  const row = scale(g, last, ctx.scalers.features);
  const product = g.op('MatMul', [row, g.constant(coefficients, [f, outputs])]);
  return g.op('Add', [product, g.constant(intercepts)]);
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
