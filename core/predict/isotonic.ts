import type { IsotonicMap } from '../packages/manifest.ts';

interface Block {
  readonly from: number;
  readonly to: number;
  readonly sum: number;
  readonly count: number;
}

/** One block per distinct x, ascending. */
function blocksByX(x: Float64Array, y: Float64Array): Block[] {
  const byX = new Map<number, { sum: number; count: number }>();
  x.forEach((value, i) => {
    const block = byX.get(value) ?? { sum: 0, count: 0 };
    byX.set(value, { sum: block.sum + y[i]!, count: block.count + 1 });
  });
  return [...byX]
    .sort(([a], [b]) => a - b)
    .map(([value, { sum, count }]) => ({ from: value, to: value, sum, count }));
}

const mean = (block: Block): number => block.sum / block.count;

/**
 * Isotonic regression of y on x by the pool-adjacent-violators algorithm: the non-decreasing function
 * with the least squared error. Equal x are pooled first. The map has both edges of every pooled block.
 *
 * Reference: Barlow, Bartholomew, Bremner, Brunk (1972), Statistical Inference under Order Restrictions.
 * Edge: with no points the map is 0.5 everywhere.
 */
export function fitIsotonic(x: Float64Array, y: Float64Array): IsotonicMap {
  const pooled: Block[] = [];
  for (const next of blocksByX(x, y)) {
    let block = next;
    for (let last = pooled.at(-1); last && mean(last) >= mean(block); last = pooled.at(-1)) {
      pooled.pop();
      const { from, sum, count } = last;
      block = { from, to: block.to, sum: sum + block.sum, count: count + block.count };
    }
    pooled.push(block);
  }
  if (pooled.length === 0) return constantMap(0.5);
  const edges = pooled.flatMap((block) => {
    const left = { x: block.from, y: mean(block) };
    return block.to > block.from ? [left, { x: block.to, y: mean(block) }] : [left];
  });
  return { x: edges.map((edge) => edge.x), y: edges.map((edge) => edge.y) };
}

/** Below this an isotonic fit follows noise: the smoothed overall rate is used for every answer. */
const POINTS_MIN = 30;

/** Observed rate against x (hits are 0 or 1); on few rows the same smoothed rate, (hits + 1) / (n + 2), for all. */
export function fitRate(x: Float64Array, hit: Float64Array): IsotonicMap {
  if (x.length >= POINTS_MIN) return fitIsotonic(x, hit);
  const hits = hit.reduce((sum, v) => sum + v, 0);
  return constantMap((hits + 1) / (hit.length + 2));
}

/** The same answer for every x. */
export const constantMap = (y: number): IsotonicMap => ({ x: [0], y: [y] });

/** Value of the map at x: linear between its points, constant beyond the first and last. */
export function applyIsotonic(map: IsotonicMap, x: number): number {
  const right = map.x.findIndex((edge) => edge >= x);
  if (right === 0) return map.y[0]!;
  if (right < 0) return map.y.at(-1)!;
  const [x0, x1] = [map.x[right - 1]!, map.x[right]!];
  const [y0, y1] = [map.y[right - 1]!, map.y[right]!];
  return y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
}
