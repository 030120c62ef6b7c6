/** What a size may be: a share of the position that was wanted anyway. It never changes the side. */
export const SIZE_MIN = 0.05;
export const SIZE_MAX = 1;

/** Within bounds, in whole percent; NaN gives the least size. */
export function boundedSize(size: number): number {
  const within = Math.min(SIZE_MAX, Math.max(SIZE_MIN, Number.isNaN(size) ? SIZE_MIN : size));
  return Math.round(within * 100) / 100;
}
