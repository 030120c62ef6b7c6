import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-node';
import { causalMask } from '../../onnx/transformer.ts';
import type { TrainingSetup } from '../network/design.ts';
import { DropoutMasks } from '../network/dropout.impl.ts';
import { LossHead } from '../network/head.impl.ts';
import type { NativeOps } from '../network/tensorflow.impl.ts';
import type { TrainableNetwork, TrainingBatch, TrainingPass } from '../network/training-job.ts';
import { unpack } from '../network/unpack.impl.ts';
import { attend, dense, layerNorm } from './layers.impl.ts';
import { readsNewestOnly, sinusoidalPositions, type TransformerLayout } from './layout.ts';
import { masksOf } from './masks.ts';

export interface TransformerOptions {
  readonly layout: TransformerLayout;
  readonly dropout: number;
  /** Absent: the network only predicts. */
  readonly setup: TrainingSetup | undefined;
}

type Parameters = ReadonlyMap<string, Tensor>;
type Drop = (h: Tensor, mask: number) => Tensor;

/** The encoder on TensorFlow. Takes windows time-major, [T, B, inputs], as the training loop gives them. */
export class TransformerNetwork implements TrainableNetwork {
  readonly #native: NativeOps;
  readonly #layout: TransformerLayout;
  readonly #masks: DropoutMasks | undefined;
  readonly #loss: LossHead | undefined;
  /** [T, T]; absent where all bars see all bars. */
  readonly #causal: Tensor | undefined;
  /** [T, dModel]; absent where positions are learned. */
  readonly #positions: Tensor | undefined;

  constructor(native: NativeOps, { layout, dropout, setup }: TransformerOptions) {
    const { shape } = layout;
    this.#native = native;
    this.#layout = layout;
    const partsOf = (batch: number) => masksOf(shape, dropout, batch);
    this.#masks = setup && dropout > 0 ? new DropoutMasks(native, partsOf, setup.seed) : undefined;
    this.#loss = setup && new LossHead(native.tf, setup.head);
    const { lookback } = shape;
    this.#causal = shape.causal
      ? native.tf.tensor2d(causalMask(lookback), [lookback, lookback])
      : undefined;
    this.#positions = shape.learnedPositions
      ? undefined
      : native.tf.tensor2d(sinusoidalPositions(shape), [shape.lookback, shape.dModel]);
  }

  draw(batch: number, step: number): Tensor1D | undefined {
    return this.#masks?.draw(batch, step);
  }

  trainingLoss(theta: Tensor1D, batch: TrainingBatch, keep: (pass: TrainingPass) => void): Tensor {
    const { tf } = this.#native;
    const masks = this.#masks?.of(batch.x.shape[1], batch.step, batch.uniform);
    const drop: Drop = (h, mask) => (masks ? tf.mul(h, masks[mask]!) : h);
    const losses = this.#loss!.byHorizon(this.#outputs(theta, batch.x, drop), batch.y);
    keep({ losses: tf.keep(tf.clone(losses)), means: [], variances: [] });
    return this.#loss!.total(losses);
  }

  predict(theta: Tensor1D, _statistics: unknown, x: Tensor3D): Tensor2D {
    return this.#outputs(theta, x, (h) => h);
  }

  dispose(): void {
    this.#masks?.dispose();
    this.#loss?.dispose();
    this.#causal?.dispose();
    this.#positions?.dispose();
  }

  #outputs(theta: Tensor1D, x: Tensor3D, drop: Drop): Tensor2D {
    const { tf } = this.#native;
    const { shape } = this.#layout;
    const p = unpack(tf, this.#layout, theta);
    let h = drop(this.#embed(x, p), 0);
    for (let k = 0; k < shape.layers; k++) {
      const newest = readsNewestOnly(shape, k);
      h = tf.add(newest ? this.#newest(h) : h, drop(this.#attention(h, p, k), 2 * k + 1));
      h = tf.add(h, drop(this.#feedForward(h, p, k), 2 * k + 2));
    }
    const pooled = shape.pooling === 'mean' ? tf.mean(h, 1) : tf.reshape(h, [-1, shape.dModel]);
    return this.#dense(layerNorm(this.#native, pooled), p, 'output') as Tensor2D;
  }

  /** [T, B, inputs] -> [B, T, dModel]. */
  #embed(x: Tensor3D, p: Parameters): Tensor {
    const { tf } = this.#native;
    const [steps, batch, inputs] = x.shape;
    const { dModel } = this.#layout.shape;
    const rows = tf.reshape(x, [steps * batch, inputs]);
    // On the tape op by op: nothing has to be propagated to the inputs.
    const product = tf.matMul(rows, p.get('embedding.kernel') as Tensor2D);
    const embedded = tf.add(product, p.get('embedding.bias')!);
    const byWindow = tf.transpose(tf.reshape(embedded, [steps, batch, dModel]), [1, 0, 2]);
    return tf.add(byWindow, this.#positions ?? p.get('positions')!);
  }

  /** What layer k's attention adds: [B, T, dModel] -> the same, or [B, 1, dModel] of the newest bar. */
  #attention(h: Tensor, p: Parameters, k: number): Tensor {
    const { tf } = this.#native;
    const { dModel, heads } = this.#layout.shape;
    const [batch, steps] = h.shape as [number, number, number];
    const newest = readsNewestOnly(this.#layout.shape, k);
    const bars = layerNorm(this.#native, h);
    const depth = dModel / heads;
    const byHead = (rows: Tensor, parts: number): Tensor4D[] =>
      tf.unstack(
        tf.transpose(tf.reshape(rows, [batch, steps, parts, heads, depth]), [2, 0, 3, 1, 4]),
      ) as Tensor4D[];
    const flat = (x: Tensor): Tensor => tf.reshape(x, [-1, dModel]);
    const name = `attention${k}`;
    let parts: Tensor4D[];
    if (newest) {
      // The same kernel; queries of the newest bar only.
      const sizes = [dModel, 2 * dModel];
      const [kernelQ, kernelKv] = tf.split(p.get(`${name}.kernel`)!, sizes, 1);
      const [biasQ, biasKv] = tf.split(p.get(`${name}.bias`)!, sizes);
      const q = { x: flat(this.#newest(bars)), kernel: kernelQ!, bias: biasQ! };
      const kv = { x: flat(bars), kernel: kernelKv!, bias: biasKv! };
      parts = [
        tf.reshape(dense(this.#native, q), [batch, heads, 1, depth]),
        ...byHead(dense(this.#native, kv), 2),
      ];
    } else {
      parts = byHead(this.#dense(flat(bars), p, name), 3);
    }
    const [q, keys, v] = parts as [Tensor4D, Tensor4D, Tensor4D];
    const mask = newest ? undefined : this.#causal;
    const y = attend(this.#native, { q, k: keys, v, mask });
    const joined = this.#dense(flat(tf.transpose(y, [0, 2, 1, 3])), p, `joined${k}`);
    return tf.reshape(joined, [batch, newest ? 1 : steps, dModel]);
  }

  /** What layer k's relu layer adds, bar by bar. */
  #feedForward(h: Tensor, p: Parameters, k: number): Tensor {
    const { tf } = this.#native;
    const rows = tf.reshape(layerNorm(this.#native, h), [-1, this.#layout.shape.dModel]);
    const wide = this.#dense(rows, p, `wide${k}`, true);
    return tf.reshape(this.#dense(wide, p, `narrow${k}`), h.shape);
  }

  #dense(x: Tensor, p: Parameters, name: string, relu = false): Tensor {
    const [kernel, bias] = [p.get(`${name}.kernel`)!, p.get(`${name}.bias`)!];
    return dense(this.#native, { x, kernel, bias, relu });
  }

  /** [B, T, dModel] -> [B, 1, dModel]. */
  #newest(h: Tensor): Tensor {
    const [batch, steps, width] = h.shape as [number, number, number];
    return this.#native.tf.slice(h, [0, steps - 1, 0], [batch, 1, width]);
  }
}
