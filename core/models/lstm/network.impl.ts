import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-node';
import type { TrainingSetup } from '../network/design.ts';
import { DropoutMasks } from '../network/dropout.impl.ts';
import { LossHead } from '../network/head.impl.ts';
import type { NativeOps } from '../network/tensorflow.impl.ts';
import type { TrainableNetwork, TrainingBatch, TrainingPass } from '../network/training-job.ts';
import { unpack } from '../network/unpack.impl.ts';
import { denseRelu, fusedBatchNorm, fusedLstm, lastStep, movingBatchNorm } from './layers.impl.ts';
import type { Layout } from './layout.ts';
import { type DropoutRates, masksOf } from './masks.ts';

export interface NetworkOptions {
  readonly layout: Layout;
  readonly rates: DropoutRates;
  /** Absent: the network only predicts. */
  readonly setup: TrainingSetup | undefined;
}

type Parameters = ReadonlyMap<string, Tensor>;

/** One network's arithmetic on TensorFlow. Time-major: x [T, B, inputs], y [B, horizons]. */
export class LstmNetwork implements TrainableNetwork {
  readonly #native: NativeOps;
  readonly #layout: Layout;
  /** Absent: nothing is ever dropped. */
  readonly #masks: DropoutMasks | undefined;
  readonly #loss: LossHead | undefined;
  readonly #zeroPeepholes: readonly Tensor[];

  constructor(native: NativeOps, { layout, rates, setup }: NetworkOptions) {
    this.#native = native;
    this.#layout = layout;
    const drops = rates.dropout > 0 || rates.recurrentDropout > 0;
    const partsOf = (batch: number) => masksOf(layout.shape, rates, batch);
    this.#masks = setup && drops ? new DropoutMasks(native, partsOf, setup.seed) : undefined;
    this.#loss = setup && new LossHead(native.tf, setup.head);
    this.#zeroPeepholes = layout.shape.units.map((units) => native.tf.zeros([units]));
  }

  draw(batch: number, step: number): Tensor1D | undefined {
    return this.#masks?.draw(batch, step);
  }

  trainingLoss(theta: Tensor1D, batch: TrainingBatch, keep: (pass: TrainingPass) => void): Tensor {
    const { tf } = this.#native;
    const { units } = this.#layout.shape;
    const p = unpack(tf, this.#layout, theta);
    const masks = this.#masks?.of(batch.x.shape[1], batch.step, batch.uniform);
    const drop = (h: Tensor, i: number): Tensor => (masks ? tf.mul(h, masks[i]!) : h);
    const means: Tensor[] = [];
    const variances: Tensor[] = [];
    let h: Tensor = batch.x;
    units.forEach((_, k) => {
      const w = drop(p.get(`lstm${k}.kernel`)!, 2 * k + 1);
      h = this.#lstm(drop(h, 2 * k), w, p, k);
      const norm = { x: h, gamma: p.get(`lstm${k}.gamma`)!, beta: p.get(`lstm${k}.beta`)! };
      h = fusedBatchNorm(this.#native, norm, (mean, variance) => {
        means.push(mean);
        variances.push(variance);
      });
    });
    const out = this.#head(h, p, (value, i) => drop(value, 2 * units.length + i));
    const losses = this.#loss!.byHorizon(out, batch.y);
    keep({ losses: tf.keep(tf.clone(losses)), means, variances });
    return this.#loss!.total(losses);
  }

  predict(
    theta: Tensor1D,
    statistics: { readonly mean: Tensor1D; readonly variance: Tensor1D },
    x: Tensor3D,
  ): Tensor2D {
    const { tf } = this.#native;
    const { units } = this.#layout.shape;
    const p = unpack(tf, this.#layout, theta);
    const means = tf.split(statistics.mean, [...units]);
    const variances = tf.split(statistics.variance, [...units]);
    let h: Tensor = x;
    units.forEach((_, k) => {
      h = this.#lstm(h, p.get(`lstm${k}.kernel`)!, p, k);
      h = movingBatchNorm(this.#native, h, {
        mean: means[k]!,
        variance: variances[k]!,
        gamma: p.get(`lstm${k}.gamma`)!,
        beta: p.get(`lstm${k}.beta`)!,
      });
    });
    return this.#head(h, p, (value) => value);
  }

  /** Frees the constants. */
  dispose(): void {
    this.#masks?.dispose();
    this.#loss?.dispose();
    this.#native.tf.dispose([...this.#zeroPeepholes]);
  }

  /** Layer k; all steps, or the newest only after the last layer. */
  #lstm(x: Tensor, w: Tensor, p: Parameters, k: number): Tensor {
    const b = p.get(`lstm${k}.bias`)!;
    const h = fusedLstm(this.#native, { x, w, b, zeroPeephole: this.#zeroPeepholes[k]! });
    return k === this.#layout.shape.units.length - 1 ? lastStep(this.#native, h) : h;
  }

  /** Shared layers and outputs: [B, U] -> [B, H x outputs]; `drop` applies the i-th mask of the head. */
  #head(h: Tensor, p: Parameters, drop: (h: Tensor, i: number) => Tensor): Tensor2D {
    const { tf } = this.#native;
    const { dense, horizons, branch } = this.#layout.shape;
    const relu = (x: Tensor, name: string): Tensor =>
      denseRelu(this.#native, x, p.get(`${name}.kernel`)!, p.get(`${name}.bias`)!);
    dense.forEach((_, k) => {
      h = drop(relu(h, `dense${k}`), k);
    });
    if (branch === 0) {
      if (dense.length === 0) h = drop(h, 0);
      const products = tf.matMul(h as Tensor2D, p.get('output.kernel') as Tensor2D);
      return tf.add(products, p.get('output.bias')!) as Tensor2D;
    }
    h = drop(relu(h, 'branch'), dense.length);
    const byHorizon = tf.reshape(h, [-1, horizons, branch]);
    const products = tf.sum(tf.mul(byHorizon, p.get('output.kernel')!), 2);
    return tf.add(products, p.get('output.bias')!) as Tensor2D;
  }
}
