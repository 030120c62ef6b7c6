import type { Tensor, Tensor4D } from '@tensorflow/tfjs-node';
import type { NativeOps } from '../network/tensorflow.impl.ts';
import { LAYER_NORM_EPSILON } from './layout.ts';

/** tfjs hands `save` as the last argument of a custom gradient's function and types it as a tensor. */
type Save = (tensors: Tensor[]) => void;

/**
 * Layer normalisation over the last axis, without scale and shift, as one operation on the tape.
 * Formula: y = (x - mean) / sqrt(variance + epsilon); dx = (dy - mean(dy) - y mean(dy y)) / sqrt(..).
 * Reference: Ba, Kiros and Hinton (2016).
 */
export function layerNorm({ tf }: NativeOps, x: Tensor): Tensor {
  const run = tf.customGrad((...args) => {
    const [xi, save] = args as unknown as [Tensor, Save];
    const centred = tf.sub(xi, tf.mean(xi, -1, true));
    const variance = tf.mean(tf.square(centred), -1, true);
    const inverse = tf.rsqrt(tf.add(variance, LAYER_NORM_EPSILON));
    const y = tf.mul(centred, inverse);
    save([y, inverse]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor => {
      const [sy, si] = saved as [Tensor, Tensor];
      const along = tf.mul(sy, tf.mean(tf.mul(dy, sy), -1, true));
      return tf.mul(tf.sub(tf.sub(dy, tf.mean(dy, -1, true)), along), si);
    };
    return { value: y, gradFunc };
  });
  return run(x);
}

/**
 * A fully connected layer as one operation on the tape: x [R, I], kernel [I, O], bias [O] -> [R, O].
 */
export function dense(
  native: NativeOps,
  { x, kernel, bias, relu }: { x: Tensor; kernel: Tensor; bias: Tensor; relu?: boolean },
): Tensor {
  const { tf } = native;
  const run = tf.customGrad((...args) => {
    const [xi, wi, bi, save] = args as unknown as [Tensor, Tensor, Tensor, Save];
    const linear = native.biasAdd(tf.matMul(xi, wi), bi);
    const y = relu === true ? tf.relu(linear) : linear;
    save([xi, wi, y]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const [sx, sw, sy] = saved as [Tensor, Tensor, Tensor];
      const d = relu === true ? native.reluGrad(dy, sy) : dy;
      return [tf.matMul(d, sw, false, true), tf.matMul(sx, d, true, false), native.biasAddGrad(d)];
    };
    return { value: y, gradFunc };
  });
  return run(x, kernel, bias);
}

/**
 * Scaled dot-product attention of all heads at once, as one operation on the tape: q [B, H, Q, d],
 * k and v [B, H, T, d], mask [Q, T] added to the scores -> [B, H, Q, d].
 * Formula: softmax(q k' / sqrt(d) + mask) v. Reference: Vaswani et al. (2017), 3.2; the backward pass
 * takes the rows' sums from dy and y, which are smaller than the scores (Dao et al., 2022, B.2).
 */
export function attend(
  { tf }: NativeOps,
  { q, k, v, mask }: { q: Tensor4D; k: Tensor4D; v: Tensor4D; mask: Tensor | undefined },
): Tensor {
  const scale = 1 / Math.sqrt(q.shape[3]);
  const run = tf.customGrad((...args) => {
    const [qi, ki, vi, save] = args as unknown as [Tensor4D, Tensor4D, Tensor4D, Save];
    const scaled = tf.mul(qi, scale);
    const scores = tf.matMul(scaled, ki, false, true);
    const shares = tf.softmax(mask ? tf.add(scores, mask) : scores);
    const y = tf.matMul(shares, vi);
    save([scaled, ki, vi, shares, y]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const [sq, sk, sv, p, sy] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor];
      const dp = tf.matMul(dy, sv, false, true);
      const ds = tf.mul(p, tf.sub(dp, tf.sum(tf.mul(dy, sy), -1, true)));
      return [
        tf.mul(tf.matMul(ds, sk), scale),
        tf.matMul(ds, sq, true, false),
        tf.matMul(p, dy, true, false),
      ];
    };
    return { value: y, gradFunc };
  });
  return run(q, k, v);
}
