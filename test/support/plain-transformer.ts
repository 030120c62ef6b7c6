import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-node';
import type { Tf } from '../../core/models/network/tensorflow.impl.ts';
import {
  LAYER_NORM_EPSILON,
  sinusoidalPositions,
  type TransformerLayout,
} from '../../core/models/transformer/layout.ts';

/**
 * The Transformer written down plainly: head by head, every bar through every layer, each operation on
 * tfjs' own tape. What the fused network must equal, and what it is timed against.
 */
export class PlainTransformer {
  readonly #tf: Tf;
  readonly #layout: TransformerLayout;

  constructor(tf: Tf, layout: TransformerLayout) {
    this.#tf = tf;
    this.#layout = layout;
  }

  /** theta, x [T, B, inputs] -> outputs [B, outputs], differentiable by theta. */
  outputs(theta: Tensor1D, x: Tensor3D): Tensor2D {
    const tf = this.#tf;
    const { shape } = this.#layout;
    const windows = tf.transpose(x, [1, 0, 2]);
    const positions = shape.learnedPositions
      ? this.#parameter(theta, 'positions')
      : tf.tensor2d(sinusoidalPositions(shape), [shape.lookback, shape.dModel]);
    let h = tf.add(this.#linear(theta, windows, 'embedding'), positions);
    for (let k = 0; k < shape.layers; k++) {
      const mixed = this.#attention(theta, this.#norm(h), k);
      h = tf.add(h, this.#linear(theta, mixed, `joined${k}`));
      const wide = tf.relu(this.#linear(theta, this.#norm(h), `wide${k}`));
      h = tf.add(h, this.#linear(theta, wide, `narrow${k}`));
    }
    const pooled =
      shape.pooling === 'mean'
        ? tf.mean(h, 1)
        : tf.squeeze(tf.slice(h, [0, shape.lookback - 1, 0], [-1, 1, -1]), [1]);
    return this.#linear(theta, this.#norm(pooled), 'output') as Tensor2D;
  }

  #attention(theta: Tensor1D, bars: Tensor, k: number): Tensor {
    const tf = this.#tf;
    const { dModel, heads, causal, lookback } = this.#layout.shape;
    const depth = dModel / heads;
    const ofHead = (head: number, part: number): Tensor => {
      const from = part * dModel + head * depth;
      const kernel = tf.slice(
        this.#parameter(theta, `attention${k}.kernel`),
        [0, from],
        [-1, depth],
      );
      const bias = tf.slice(this.#parameter(theta, `attention${k}.bias`), [from], [depth]);
      return tf.add(this.#matMul(bars, kernel as Tensor2D), bias);
    };
    const mixed = Array.from({ length: heads }, (_, head) => {
      const [q, keys, values] = [ofHead(head, 0), ofHead(head, 1), ofHead(head, 2)];
      let scores: Tensor = tf.div(tf.matMul(q, keys, false, true), Math.sqrt(depth));
      if (causal) {
        const lower = tf.linalg.bandPart(tf.ones([lookback, lookback]), -1, 0);
        scores = tf.where(
          tf.cast(tf.broadcastTo(lower, scores.shape as never), 'bool'),
          scores,
          -1e9,
        );
      }
      return tf.matMul(tf.softmax(scores), values);
    });
    return tf.concat(mixed, -1);
  }

  #norm(h: Tensor): Tensor {
    const tf = this.#tf;
    const { mean, variance } = tf.moments(h, -1, true);
    return tf.div(tf.sub(h, mean), tf.sqrt(tf.add(variance, LAYER_NORM_EPSILON)));
  }

  #linear(theta: Tensor1D, x: Tensor, name: string): Tensor {
    const kernel = this.#parameter(theta, `${name}.kernel`) as Tensor2D;
    return this.#tf.add(this.#matMul(x, kernel), this.#parameter(theta, `${name}.bias`));
  }

  /** x [.., I] times kernel [I, O]. */
  #matMul(x: Tensor, kernel: Tensor2D): Tensor {
    const tf = this.#tf;
    const rows = tf.reshape(x, [-1, x.shape.at(-1)!]);
    return tf.reshape(tf.matMul(rows, kernel), [...x.shape.slice(0, -1), kernel.shape[1]]);
  }

  #parameter(theta: Tensor1D, name: string): Tensor {
    const { offset, size, shape } = this.#layout.parameters.find((p) => p.name === name)!;
    return this.#tf.reshape(this.#tf.slice(theta, [offset], [size]), [...shape]);
  }
}
