import type { DenseWeights } from '../../onnx/layers.ts';
import type { TransformerWeights } from '../../onnx/transformer.ts';
import { parameterOf } from '../network/layout.ts';
import { LAYER_NORM_EPSILON, sinusoidalPositions, type TransformerLayout } from './layout.ts';

/** The weights as the ONNX builders take them. */
export function toTransformerWeights(
  layout: TransformerLayout,
  theta: Float32Array,
  dropout: number,
): TransformerWeights {
  const { shape } = layout;
  const dense = (name: string, inputs: number, units: number): DenseWeights => ({
    inputs,
    units,
    kernel: parameterOf(layout, theta, `${name}.kernel`),
    bias: parameterOf(layout, theta, `${name}.bias`),
  });
  const { dModel, feedForward } = shape;
  return {
    embedding: dense('embedding', shape.inputs, dModel),
    positions: shape.learnedPositions
      ? parameterOf(layout, theta, 'positions')
      : sinusoidalPositions(shape),
    layers: Array.from({ length: shape.layers }, (_, k) => ({
      attention: dense(`attention${k}`, dModel, 3 * dModel),
      joined: dense(`joined${k}`, dModel, dModel),
      wide: dense(`wide${k}`, dModel, feedForward),
      narrow: dense(`narrow${k}`, feedForward, dModel),
    })),
    output: dense('output', dModel, shape.outputs),
    heads: shape.heads,
    causal: shape.causal,
    pooling: shape.pooling,
    layerNormEpsilon: LAYER_NORM_EPSILON,
    dropout,
  };
}
