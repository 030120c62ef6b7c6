import type { Tensor, Tensor2D } from '@tensorflow/tfjs-node';
import type { NativeOps } from '../network/tensorflow.impl.ts';
import { BATCH_NORM_EPSILON } from './layout.ts';

/** tfjs hands `save` as the last argument of a custom gradient's function and types it as a tensor. */
type Save = (tensors: Tensor[]) => void;

/**
 * One LSTM layer as a single operation, differentiable by x, w and b.
 * x [T, B, I], w [I + U, 4U] gates i, f, c, o, b [4U], zeroPeephole [U] -> h [T, B, U].
 */
export function fusedLstm(
  native: NativeOps,
  { x, w, b, zeroPeephole }: { x: Tensor; w: Tensor; b: Tensor; zeroPeephole: Tensor },
): Tensor {
  const { tf } = native;
  const run = tf.customGrad((...args) => {
    const [xi, wi, bi, save] = args as unknown as [Tensor, Tensor, Tensor, Save];
    const zeroState = tf.zeros([xi.shape[1]!, bi.shape[0]! / 4]);
    const outputs = native.blockLstm(xi, zeroState, wi, zeroPeephole, bi);
    save([xi, wi, bi, zeroState, ...outputs]);
    const gradFunc = (dh: Tensor, saved: Tensor[]): Tensor[] => {
      const [sx, sw, sb, zero, ...rest] = saved as [Tensor, Tensor, Tensor, Tensor, ...Tensor[]];
      const forward = { x: sx, w: sw, b: sb, zeroState: zero, zeroPeephole, outputs: rest };
      return native.blockLstmGrad(forward, tf.zerosLike(rest[6]!), dh);
    };
    return { value: outputs[6]!, gradFunc };
  });
  return run(x, w, b);
}

/**
 * Batch normalisation over all axes but the last, with the batch's own statistics (variance with
 * Bessel's correction, as TensorFlow gives it), which `statistics` receives and must dispose.
 */
export function fusedBatchNorm(
  native: NativeOps,
  { x, gamma, beta }: { x: Tensor; gamma: Tensor; beta: Tensor },
  statistics: (mean: Tensor, variance: Tensor) => void,
): Tensor {
  const { tf } = native;
  const run = tf.customGrad((...args) => {
    const [xi, gi, bi, save] = args as unknown as [Tensor, Tensor, Tensor, Save];
    const [y, mean, variance, ...reserves] = native.batchNorm(xi, gi, bi, BATCH_NORM_EPSILON);
    statistics(tf.keep(mean!), tf.keep(variance!));
    save([xi, gi, ...reserves]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const [sx, sg, ...kept] = saved as [Tensor, Tensor, ...Tensor[]];
      return native.batchNormGrad(dy, sx, sg, kept, BATCH_NORM_EPSILON);
    };
    return { value: y!, gradFunc };
  });
  const flat = tf.reshape(x, [-1, 1, 1, x.shape.at(-1)!]);
  return tf.reshape(run(flat, gamma, beta), x.shape);
}

/** Batch normalisation with given statistics, as at inference. */
export function movingBatchNorm(
  native: NativeOps,
  x: Tensor,
  norm: { mean: Tensor; variance: Tensor; gamma: Tensor; beta: Tensor },
): Tensor {
  const { tf } = native;
  const deviation = tf.sqrt(tf.add(norm.variance, BATCH_NORM_EPSILON));
  return tf.add(tf.mul(tf.div(tf.sub(x, norm.mean), deviation), norm.gamma), norm.beta);
}

/** [T, B, U] -> [B, U] of the newest step. */
export function lastStep(native: NativeOps, h: Tensor): Tensor {
  const [steps, batch, units] = h.shape as [number, number, number];
  const newest = native.tf.slice(h, [steps - 1, 0, 0], [1, batch, units]);
  return native.tf.reshape(newest, [batch, units]);
}

export function denseRelu(native: NativeOps, h: Tensor, kernel: Tensor, bias: Tensor): Tensor {
  const { tf } = native;
  return tf.relu(tf.add(tf.matMul(h as Tensor2D, kernel as Tensor2D), bias));
}
