import type { Random } from '../random.ts';

/** Separates the draws of initial weights from all other random numbers of a seed. */
export const SALT_WEIGHTS = 0x77656967;

/** Glorot and Bengio (2010): uniform in +-sqrt(6 / (fanIn + fanOut)). */
export function glorotUniform(
  into: Float32Array,
  fanIn: number,
  fanOut: number,
  random: Random,
): void {
  const limit = Math.sqrt(6 / (fanIn + fanOut));
  for (let i = 0; i < into.length; i++) into[i] = (2 * random() - 1) * limit;
}
