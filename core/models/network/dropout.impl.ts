import type { Tensor, Tensor1D } from '@tensorflow/tfjs-node';
import { hashKey } from '../random.ts';
import type { NativeOps } from './tensorflow.impl.ts';

/** Separates the dropout masks from all other random numbers of a seed. */
const SALT_MASKS = 0x6d61736b;

/** One mask of a batch. */
export interface MaskPart {
  readonly shape: readonly number[];
  /** Probability of being dropped, element by element. */
  readonly rates: Float32Array;
}

/** A mask whose elements all have the same probability. */
export function evenMask(shape: readonly number[], rate: number): MaskPart {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, rates: new Float32Array(size).fill(rate) };
}

/** Constants of one batch size; a training has at most two of them. */
interface BatchConstants {
  readonly parts: readonly MaskPart[];
  readonly threshold: Tensor1D;
  readonly scale: Tensor1D;
}

/** Inverted dropout masks, a pure function of (seed, step) and the sizes. */
export class DropoutMasks {
  readonly #native: NativeOps;
  readonly #partsOf: (batch: number) => readonly MaskPart[];
  readonly #key: number;
  readonly #constants = new Map<number, BatchConstants>();

  /** `partsOf` gives the masks of a batch of that size, in order of use. */
  constructor(native: NativeOps, partsOf: (batch: number) => readonly MaskPart[], seed: number) {
    this.#native = native;
    this.#partsOf = partsOf;
    this.#key = hashKey(seed, SALT_MASKS);
  }

  /** The uniform numbers that the masks of a batch are made of. */
  draw(batch: number, step: number): Tensor1D {
    const { threshold } = this.#constantsFor(batch);
    return this.#native.statelessUniform(threshold.size, [this.#key, step]);
  }

  /** Values 0 or 1 / (1 - rate), all from one draw, which may have been made before. */
  of(batch: number, step: number, uniform = this.draw(batch, step)): Tensor[] {
    const { tf } = this.#native;
    const { parts, threshold, scale } = this.#constantsFor(batch);
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
    const parts = this.#partsOf(batch);
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
