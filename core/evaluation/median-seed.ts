import { RatchetError } from '../errors.ts';

/**
 * The seed that is served: the one with the median validation loss, never the best, so that luck is not chosen.
 * An even number of seeds takes the lower middle; equal losses the smaller seed. A loss that is not finite counts
 * as the worst; where none is finite `evaluation.no-finite-seed` is thrown.
 */
export function medianSeed(
  seeds: readonly { readonly seed: number; readonly bestValidLoss: number }[],
): number {
  const loss = (value: number): number => (Number.isFinite(value) ? value : Infinity);
  const sorted = seeds.toSorted(
    (a, b) => sign(loss(a.bestValidLoss), loss(b.bestValidLoss)) || a.seed - b.seed,
  );
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined || !Number.isFinite(middle.bestValidLoss)) {
    throw new RatchetError(
      'evaluation.no-finite-seed',
      'the median validation loss over seeds is not a finite number: lower the learning rate, or look at the features',
    );
  }
  return middle.seed;
}

/** Sign of a - b, 0 for two infinities too. */
const sign = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);
