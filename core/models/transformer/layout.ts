import { type FlatLayout, ParameterList } from '../network/layout.ts';
import type { DataSizes } from '../network/design.ts';
import type { TransformerParams } from '../transformer.ts';

/** Keras' default; the exported graph uses the same. */
export const LAYER_NORM_EPSILON = 1e-3;

/** Sizes and kind of one network. */
export interface TransformerShape {
  readonly inputs: number;
  readonly lookback: number;
  /** Horizons times the outputs of each. */
  readonly outputs: number;
  readonly dModel: number;
  readonly heads: number;
  readonly layers: number;
  readonly feedForward: number;
  readonly causal: boolean;
  readonly learnedPositions: boolean;
  readonly pooling: TransformerParams['pooling'];
}

export interface TransformerLayout extends FlatLayout {
  readonly shape: TransformerShape;
}

export const shapeOf = (params: TransformerParams, sizes: DataSizes): TransformerShape => ({
  inputs: sizes.inputs,
  lookback: sizes.lookback,
  outputs: sizes.horizons * Math.max(sizes.classes, 1),
  dModel: params.dModel,
  heads: params.heads,
  layers: params.layers,
  feedForward: params.feedForward ?? 4 * params.dModel,
  causal: params.attention === 'causal',
  learnedPositions: params.positions === 'learned',
  pooling: params.pooling,
});

/** Of the last layer only the newest bar is read on: nothing else needs to ask, or to pass its relu layer. */
export const readsNewestOnly = (shape: TransformerShape, layer: number): boolean =>
  shape.pooling === 'last' && layer === shape.layers - 1;

/**
 * Order of the parameters. `attentionK.kernel` is [dModel, 3 dModel], the columns of queries, keys and
 * values side by side, each cut into heads. Layer norm has no scale and no shift of its own: a linear
 * layer follows each, which can do both.
 */
export function layoutOf(shape: TransformerShape): TransformerLayout {
  const { inputs, dModel, feedForward, layers, outputs } = shape;
  const list = new ParameterList();
  const dense = (name: string, from: number, to: number): void => {
    list.add(`${name}.kernel`, from, to);
    list.add(`${name}.bias`, to);
  };
  dense('embedding', inputs, dModel);
  if (shape.learnedPositions) list.add('positions', shape.lookback, dModel);
  for (let k = 0; k < layers; k++) {
    dense(`attention${k}`, dModel, 3 * dModel);
    dense(`joined${k}`, dModel, dModel);
    dense(`wide${k}`, dModel, feedForward);
    dense(`narrow${k}`, feedForward, dModel);
  }
  dense('output', dModel, outputs);
  return { shape, ...list.layout(0) };
}

/**
 * Formula: p[t, 2i] = sin(t / 10000^(2i / d)), p[t, 2i + 1] = cos of the same; [lookback, d] row-major.
 * Reference: Vaswani et al. (2017), 3.5.
 */
export function sinusoidalPositions({ lookback, dModel }: TransformerShape): Float32Array {
  return Float32Array.from({ length: lookback * dModel }, (_, at) => {
    const column = at % dModel;
    const angle = Math.floor(at / dModel) / 10_000 ** ((column - (column % 2)) / dModel);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
}
