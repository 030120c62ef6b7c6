import type { Scalar, Tensor1D } from '@tensorflow/tfjs-node';
import { decaying, type FlatLayout } from './layout.ts';
import type { Tf } from './tensorflow.impl.ts';
import type { TrainingRules } from './training-job.ts';

/** Keras' constants. */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-7;

/**
 * The flat parameters with their first and second moments; a type alias, because tfjs wants an
 * indexable container.
 */
export type Moments = { readonly theta: Tensor1D; readonly m: Tensor1D; readonly v: Tensor1D };

/** Where an optimiser stands: its step from 1, and the learning rate there. */
export interface OptimiserStep {
  readonly step: number;
  readonly learningRate: number;
}

export interface StepSizes<T> {
  readonly rate: T;
  readonly size: T;
}

/**
 * Adam on one flat vector, with decoupled weight decay and a warm-up where the rules have them.
 * Formula: theta - rate (sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon) + decay theta), where
 * rate = learningRate min(1, t / warmupSteps).
 * Reference: Kingma and Ba (2015); Loshchilov and Hutter (2019).
 */
export class Adam {
  readonly #tf: Tf;
  readonly #warmupSteps: number;
  /** [parameters], the decay of each; absent: none. */
  readonly #decay: Tensor1D | undefined;

  constructor(tf: Tf, layout: FlatLayout, { warmupSteps = 0, weightDecay = 0 }: TrainingRules) {
    this.#tf = tf;
    this.#warmupSteps = warmupSteps;
    this.#decay =
      weightDecay > 0 ? tf.tensor1d(decaying(layout).map((on) => on * weightDecay)) : undefined;
  }

  /** The learning rate of a step, and that times the correction of the moments' bias. */
  sizesAt({ step, learningRate }: OptimiserStep): StepSizes<number> {
    const correction = Math.sqrt(1 - BETA2 ** step) / (1 - BETA1 ** step);
    const rate =
      step < this.#warmupSteps ? (learningRate * step) / this.#warmupSteps : learningRate;
    return { rate, size: rate * correction };
  }

  /** A step of these sizes; the caller disposes what it gives and what it got. */
  move(before: Moments, gradient: Tensor1D, { rate, size }: StepSizes<number | Scalar>): Moments {
    const tf = this.#tf;
    const m = tf.add(tf.mul(before.m, BETA1), tf.mul(gradient, 1 - BETA1)) as Tensor1D;
    const v = tf.add(tf.mul(before.v, BETA2), tf.mul(tf.square(gradient), 1 - BETA2)) as Tensor1D;
    const change = tf.mul(tf.div(m, tf.add(tf.sqrt(v), EPSILON)), size);
    const theta = tf.sub(before.theta, change) as Tensor1D;
    if (!this.#decay) return { theta, m, v };
    const decayed = tf.mul(tf.mul(before.theta, this.#decay), rate);
    return { theta: tf.sub(theta, decayed) as Tensor1D, m, v };
  }

  dispose(): void {
    this.#decay?.dispose();
  }
}
