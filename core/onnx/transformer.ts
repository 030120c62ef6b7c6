import type { ExportContext } from '../models/model.ts';
import { Graph } from './graph.ts';
import { type DenseWeights, cast, mul, relu, scale } from './layers.ts';
import { type Mask, masksFromNoise, noiseWidthOf } from './masks.ts';
import { check, checkContext, finish, graphOutputs, metadataOf } from './outputs.ts';

/** One encoder layer: attention and a relu layer, each behind a layer norm and added to what it read. */
export interface EncoderLayerWeights {
  /** dModel -> 3 dModel: queries, keys and values side by side, each cut into heads. */
  readonly attention: DenseWeights;
  readonly joined: DenseWeights;
  readonly wide: DenseWeights;
  readonly narrow: DenseWeights;
}

/** All weights of the Transformer. Layer norms have neither scale nor shift. */
export interface TransformerWeights {
  readonly embedding: DenseWeights;
  /** [lookback x dModel], learned or not. */
  readonly positions: Float32Array;
  readonly layers: readonly EncoderLayerWeights[];
  readonly output: DenseWeights;
  readonly heads: number;
  /** A bar sees the bars up to itself only. */
  readonly causal: boolean;
  readonly pooling: 'last' | 'mean';
  readonly layerNormEpsilon: number;
  /** Used by the Monte-Carlo graph only. */
  readonly dropout: number;
}

function checkDense(w: DenseWeights, inputs: number, units: number, what: string): void {
  check(w.inputs === inputs && w.units === units, `${what}, ${w.inputs} x ${w.units}`);
  check(w.kernel.length === inputs * units && w.bias.length === units, what);
}

/** Throws `onnx.shape` with the layer that does not fit. */
function checkWeights(weights: TransformerWeights, ctx: ExportContext): void {
  checkContext(ctx);
  const width = weights.embedding.units;
  checkDense(weights.embedding, ctx.featureNames.length, width, 'embedding');
  check(weights.positions.length === ctx.lookback * width, 'positions');
  check(weights.heads > 0 && width % weights.heads === 0, 'heads');
  check(weights.layers.length > 0, 'no encoder layer');
  weights.layers.forEach(({ attention, joined, wide, narrow }, k) => {
    const name = `encoder layer ${k + 1}`;
    checkDense(attention, width, 3 * width, `${name}, attention`);
    checkDense(joined, width, width, `${name}, joined heads`);
    checkDense(wide, width, wide.units, `${name}, relu layer`);
    checkDense(narrow, wide.units, width, `${name}, after the relu layer`);
  });
  checkDense(weights.output, width, graphOutputs(ctx), 'output');
}

/** x [.., inputs] -> [.., units]. */
function linear(g: Graph, x: string, w: DenseWeights): string {
  const product = g.op('MatMul', [x, g.constant(w.kernel, [w.inputs, w.units])]);
  return g.op('Add', [product, g.constant(w.bias)]);
}

/** What is added to the scores of attention, [steps x steps]: softmax turns it into no share of later bars. */
export function causalMask(steps: number): Float32Array {
  return Float32Array.from({ length: steps * steps }, (_, at) =>
    at % steps > Math.floor(at / steps) ? -1e9 : 0,
  );
}

/** Columns [from, to) of a layer. */
function columnsOf(w: DenseWeights, from: number, to: number, factor = 1): DenseWeights {
  const units = to - from;
  const kernel = Float32Array.from(
    { length: w.inputs * units },
    (_, at) => factor * w.kernel[Math.floor(at / units) * w.units + from + (at % units)]!,
  );
  const bias = w.bias.slice(from, to).map((b) => factor * b);
  return { inputs: w.inputs, units, kernel, bias };
}

/** The arithmetic of one network; `drop` applies the i-th mask, if there are any. */
class Encoder {
  readonly #g: Graph;
  readonly #weights: TransformerWeights;
  readonly #lookback: number;
  readonly #ones: string;
  readonly #drop: (h: string, mask: number) => string;

  constructor(
    g: Graph,
    weights: TransformerWeights,
    lookback: number,
    drop: (h: string, mask: number) => string,
  ) {
    this.#g = g;
    this.#weights = weights;
    this.#lookback = lookback;
    this.#drop = drop;
    this.#ones = g.constant(new Float32Array(weights.embedding.units).fill(1));
  }

  /** x [N, lookback, features] scaled -> [N, outputs]. */
  outputs(x: string): string {
    const g = this.#g;
    const { embedding, positions, layers, pooling, output } = this.#weights;
    const places = g.constant(positions, [this.#lookback, embedding.units]);
    let h = this.#drop(g.op('Add', [linear(g, x, embedding), places]), 0);
    layers.forEach((layer, k) => {
      const newest = pooling === 'last' && k === layers.length - 1;
      const attended = this.#attention(h, layer, newest);
      h = g.op('Add', [newest ? this.#newest(h) : h, this.#drop(attended, 2 * k + 1)]);
      const wide = relu(g, linear(g, this.#norm(h), layer.wide));
      h = g.op('Add', [h, this.#drop(linear(g, wide, layer.narrow), 2 * k + 2)]);
    });
    const pooled =
      pooling === 'mean'
        ? g.op('ReduceMean', [h, g.ints(1)], { keepdims: { int: 0 } })
        : g.op('Squeeze', [h, g.ints(1)]);
    return linear(g, this.#norm(pooled), output);
  }

  #norm(x: string): string {
    const epsilon = { float: this.#weights.layerNormEpsilon };
    return this.#g.op('LayerNormalization', [x, this.#ones], { axis: { int: -1 }, epsilon });
  }

  /** [N, T, dModel] -> [N, 1, dModel]. */
  #newest(h: string): string {
    const at = this.#g.constant(BigInt64Array.of(BigInt(this.#lookback - 1)), [1]);
    return this.#g.op('Gather', [h, at], { axis: { int: 1 } });
  }

  #attention(h: string, { attention, joined }: EncoderLayerWeights, newest: boolean): string {
    const g = this.#g;
    const { heads, causal } = this.#weights;
    const width = joined.inputs;
    const depth = width / heads;
    const bars = this.#norm(h);
    const part = (x: string, k: number, perm: readonly number[], factor = 1): string => {
      const rows = linear(g, x, columnsOf(attention, k * width, (k + 1) * width, factor));
      const byHead = g.op('Reshape', [rows, g.ints(0, -1, heads, depth)]);
      return g.op('Transpose', [byHead], { perm: { ints: perm } });
    };
    const q = part(newest ? this.#newest(bars) : bars, 0, [0, 2, 1, 3], 1 / Math.sqrt(depth));
    const keys = part(bars, 1, [0, 2, 3, 1]);
    const values = part(bars, 2, [0, 2, 1, 3]);
    const scores = g.op('MatMul', [q, keys]);
    const seen = causal && !newest ? g.op('Add', [scores, this.#causalMask()]) : scores;
    const mixed = g.op('MatMul', [g.op('Softmax', [seen], { axis: { int: -1 } }), values]);
    const byBar = g.op('Transpose', [mixed], { perm: { ints: [0, 2, 1, 3] } });
    return linear(g, g.op('Reshape', [byBar, g.ints(0, -1, width)]), joined);
  }

  #causalMask(): string {
    return this.#g.constant(causalMask(this.#lookback), [this.#lookback, this.#lookback]);
  }
}

/**
 * The Transformer as one graph: scaling (float64, clipped) -> float32 -> encoder -> float64 label units
 * or probabilities.
 *
 * Inputs: `x` float64 [N, lookback, features], unscaled; with `ctx.multiplyByClose` also `close`
 * float64 [N, 1]. Output: `y` float64 [N, outputs]. Throws `onnx.shape` where the weights do not fit.
 */
export function buildTransformerGraph(weights: TransformerWeights, ctx: ExportContext): Uint8Array {
  checkWeights(weights, ctx);
  const g = new Graph('transformer');
  const x = g.input('x', 'float64', ['N', ctx.lookback, ctx.featureNames.length]);
  const scaled = cast(g, scale(g, x, ctx.scalers.features), 'float32');
  const encoder = new Encoder(g, weights, ctx.lookback, (h) => h);
  finish(g, cast(g, encoder.outputs(scaled), 'float64'), ctx, 'N');
  return g.toModel(metadataOf(ctx));
}

/**
 * The same with dropout really on, for S samples of one window: a mask a sample, constant over its bars,
 * of what is embedded and of what each half of a layer adds; exactly the distribution of training.
 *
 * Inputs: `x` float64 [1, lookback, features], `noise` float32 [S, noiseWidth] uniform in [0, 1), where
 * noiseWidth = (1 + 2 layers) dModel; with `ctx.multiplyByClose` also `close` float64 [1, 1]. Output: `y`
 * float64 [S, outputs]. Same noise, same samples; sample k does not depend on S.
 */
export function buildTransformerMonteCarloGraph(
  weights: TransformerWeights,
  ctx: ExportContext,
): { readonly graph: Uint8Array; readonly noiseWidth: number } {
  checkWeights(weights, ctx);
  const one: Mask = { width: weights.embedding.units, rate: weights.dropout };
  const plan = Array.from({ length: 1 + 2 * weights.layers.length }, () => one);
  const noiseWidth = noiseWidthOf(plan);
  const g = new Graph('transformer-monte-carlo');
  const x = g.input('x', 'float64', [1, ctx.lookback, ctx.featureNames.length]);
  const noise = g.input('noise', 'float32', ['S', noiseWidth]);
  const masks = masksFromNoise(g, noise, plan).map((mask) => g.op('Unsqueeze', [mask, g.ints(1)]));
  const scaled = cast(g, scale(g, x, ctx.scalers.features), 'float32');
  const encoder = new Encoder(g, weights, ctx.lookback, (h, mask) => mul(g, h, masks[mask]!));
  finish(g, cast(g, encoder.outputs(scaled), 'float64'), ctx, 'S');
  return { graph: g.toModel(metadataOf(ctx)), noiseWidth };
}
