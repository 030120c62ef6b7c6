import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-node';
import type { HeadTask } from './head.ts';
import type { Tf } from './tensorflow.impl.ts';

/**
 * The loss of a network's outputs on TensorFlow, differentiable by them: MSE of each horizon, or
 * softmax cross-entropy over the classes of each horizon with a weight a class; then their weighted
 * sum.
 */
export class LossHead {
  readonly #tf: Tf;
  readonly #task: HeadTask;
  readonly #lossWeights: Tensor1D;
  /** [horizons, classes]; absent in regression. */
  readonly #classWeights: Tensor2D | undefined;

  constructor(tf: Tf, task: HeadTask) {
    this.#tf = tf;
    this.#task = task;
    this.#lossWeights = tf.tensor1d([...task.lossWeights]);
    this.#classWeights =
      task.kind === 'classification'
        ? tf.tensor2d(task.classWeights.map((weights) => [...weights]))
        : undefined;
  }

  /**
   * `out` [B, horizons x outputs] raw, `y` [B, horizons] scaled labels or class indices -> mean
   * loss [horizons].
   */
  byHorizon(out: Tensor2D, y: Tensor2D): Tensor1D {
    const tf = this.#tf;
    const task = this.#task;
    if (task.kind === 'regression') return tf.mean(tf.square(tf.sub(out, y)), 0) as Tensor1D;
    const logits = tf.reshape(out, [-1, task.lossWeights.length, task.classes]);
    const hit = tf.cast(tf.oneHot(tf.cast(y, 'int32'), task.classes), 'float32') as Tensor3D;
    const weighted = tf.mul(hit, this.#classWeights!);
    return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), weighted), 2), 0)) as Tensor1D;
  }

  /** The scalar that is minimised. */
  total(byHorizon: Tensor1D): Tensor {
    return this.#tf.sum(this.#tf.mul(byHorizon, this.#lossWeights));
  }

  dispose(): void {
    this.#lossWeights.dispose();
    this.#classWeights?.dispose();
  }
}
