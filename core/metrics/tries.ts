/**
 * Level of the k-th challenger tested against one champion: alpha x 6 / (pi^2 k^2).
 * The levels of all tries add up to alpha, so trying often does not make a false promotion likely.
 * k counts from 1; anything else gives level 0 (nothing passes).
 */
export function levelOfTry(alpha: number, k: number): number {
  return Number.isInteger(k) && k >= 1 ? (alpha * 6) / (Math.PI ** 2 * k ** 2) : 0;
}
