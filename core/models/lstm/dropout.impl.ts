import type { Tensor, Tensor1D } from '@tensorflow/tfjs-node';
import { hashKey } from '../random.ts';
import type { NetworkShape } from './layout.ts';
import type { NativeOps } from './tensorflow.impl.ts';

/** Separates the dropout masks from all other random numbers of a seed. */
const SALT_MASKS = 0x6d61736b;

export interface DropoutRates {
  readonly dropout: number;
  readonly recurrentDropout: number;
}

interface Part {
  readonly shape: readonly number[];
  /** Probability of being dropped, element by element. */
  readonly rates: Float32Array;
}

/** Constants of one batch size; a training has at most two of them. */
interface BatchConstants {
  readonly parts: readonly Part[];
  readonly threshold: Tensor1D;
  readonly scale: Tensor1D;
}

function constantPart(shape: readonly number[], rate: number): Part {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, rates: new Float32Array(size).fill(rate) };
}

/**
 * The masks of one batch in order of use: for each LSTM layer its inputs and its matrix, then each
 * shared layer, then the joined branches. Keras' marginal distribution on the fused kernel: an input
 * mask is constant over time, [1, B, inputs]; the recurrent mask drops rows of the recurrent matrix
 * and is shared by the batch. The input rows of that joined matrix are never dropped.
 */
function partsOf(shape: NetworkShape, rates: DropoutRates, batch: number): Part[] {
  const parts: Part[] = [];
  let width = shape.inputs;
  for (const units of shape.units) {
    parts.push(constantPart([1, batch, width], rates.dropout));
    const rows = new Float32Array(width + units).fill(rates.recurrentDropout, width);
    parts.push({ shape: [width + units, 1], rates: rows });
    width = units;
  }
  for (const units of shape.dense) parts.push(constantPart([batch, units], rates.dropout));
  parts.push(constantPart([batch, shape.horizons * shape.branch], rates.dropout));
  return parts;
}

/** Inverted dropout masks, a pure function of (seed, step) and the sizes. */
export class DropoutMasks {
  readonly #native: NativeOps;
  readonly #shape: NetworkShape;
  readonly #rates: DropoutRates;
  readonly #key: number;
  readonly #constants = new Map<number, BatchConstants>();

  constructor(native: NativeOps, shape: NetworkShape, rates: DropoutRates, seed: number) {
    this.#native = native;
    this.#shape = shape;
    this.#rates = rates;
    this.#key = hashKey(seed, SALT_MASKS);
  }

  /** Values 0 or 1 / (1 - rate), all from one draw; `undefined` when nothing is ever dropped. */
  of(batch: number, step: number): Tensor[] | undefined {
    if (this.#rates.dropout === 0 && this.#rates.recurrentDropout === 0) return undefined;
    const { tf } = this.#native;
    const { parts, threshold, scale } = this.#constantsFor(batch);
    const uniform = this.#native.statelessUniform(threshold.size, [this.#key, step]);
    const flat = tf.mul(tf.cast(tf.greaterEqual(uniform, threshold), 'float32'), scale);
    const sizes = parts.map((part) => part.rates.length);
    return tf.split(flat, sizes).map((piece, i) => tf.reshape(piece, [...parts[i]!.shape]));
  }

  dispose(): void {
    for (const { threshold, scale } of this.#constants.values()) {
      threshold.dispose();
      scale.dispose();
    }
    this.#constants.clear();
  }

  #constantsFor(batch: number): BatchConstants {
    const known = this.#constants.get(batch);
    if (known) return known;
    const { tf } = this.#native;
    const parts = partsOf(this.#shape, this.#rates, batch);
    const rates = parts.flatMap((part) => [...part.rates]);
    const made = {
      parts,
      threshold: tf.keep(tf.tensor1d(rates)),
      scale: tf.keep(tf.tensor1d(rates.map((rate) => 1 / (1 - rate)))),
    };
    this.#constants.set(batch, made);
    return made;
  }
}
