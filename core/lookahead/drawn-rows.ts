import { seededUniform } from '../seeded-uniform.ts';

/**
 * `count` different whole numbers within `from`..`to` (both included), drawn by `seed`, increasing; all there are where
 * these are fewer.
 */
export function drawnRows(
  { from, to }: { readonly from: number; readonly to: number },
  count: number,
  seed: number,
): readonly number[] {
  const there = Math.max(0, to - from + 1);
  if (there <= count) return Array.from({ length: there }, (_, i) => from + i);
  const uniform = seededUniform(seed);
  const drawn = new Set<number>();
  while (drawn.size < count) drawn.add(from + Math.floor(uniform() * there));
  return [...drawn].sort((a, b) => a - b);
}
