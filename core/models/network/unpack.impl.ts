import type { Tensor, Tensor1D } from '@tensorflow/tfjs-node';
import type { FlatLayout } from './layout.ts';
import type { Tf } from './tensorflow.impl.ts';

/** Parameters of the flat vector by name, differentiable by it. */
export function unpack(
  tf: Tf,
  { parameters }: FlatLayout,
  theta: Tensor1D,
): ReadonlyMap<string, Tensor> {
  const pieces = tf.split(
    theta,
    parameters.map((p) => p.size),
  );
  return new Map(parameters.map((p, i) => [p.name, tf.reshape(pieces[i]!, [...p.shape])]));
}
