/**
 * Circular block bootstrap (Politis and Romano 1992) of metrics that are functions of means of per-row terms.
 * Overlapping labels make neighbouring losses dependent, so whole blocks of time stamps are drawn; rows of several
 * instruments at one time stamp stay together. The same draws serve model, baselines and differences.
 */
import { RatchetError } from '../errors.ts';
import { seededUniform } from '../seeded-uniform.ts';

export const RESAMPLES = 2000;
/** With fewer blocks than this in the data the interval is printed, with a warning beside it. */
export const MIN_BLOCKS = 10;

/** A value with its 95 % percentile interval; null where it is not defined. */
export interface Interval {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly tooFewBlocks: boolean;
}

/** Rows grouped by time stamp: `group[i]` is the position of row i's time stamp, rising with time. */
export interface TimeGroups {
  readonly count: number;
  readonly group: Int32Array;
}

/** Groups rows by their time; `times` may repeat (several instruments) and stand in any order. */
export function groupByTime(times: Float64Array): TimeGroups {
  const unique = Float64Array.from(new Set(times)).sort();
  const position = new Map<number, number>();
  unique.forEach((time, i) => position.set(time, i));
  return { count: unique.length, group: Int32Array.from(times, (time) => position.get(time)!) };
}

/** Mean of a column per time stamp. */
export function meanByTime(values: Float64Array, { count, group }: TimeGroups): Float64Array {
  const sums = new Float64Array(count);
  const counts = new Float64Array(count);
  for (let i = 0; i < values.length; i++) {
    sums[group[i]!]! += values[i]!;
    counts[group[i]!]! += 1;
  }
  return sums.map((sum, i) => sum / counts[i]!);
}

/** Block length: max(2h, ceil(n^(1/3)), one day of bars), at most n. */
export function blockLength(n: number, horizon: number, barsPerDay: number): number {
  return Math.min(n, Math.max(2 * horizon, Math.ceil(Math.cbrt(n) - 1e-9), barsPerDay));
}

/** Start positions of the blocks of every resample, drawn once and used for everything compared. */
export interface BlockDraws {
  readonly n: number;
  readonly block: number;
  readonly resamples: number;
  /** [resamples x blocks per resample]. */
  readonly starts: Int32Array;
  readonly tooFewBlocks: boolean;
}

export function drawBlocks(options: {
  readonly n: number;
  readonly block: number;
  readonly seed: number;
  readonly resamples?: number;
}): BlockDraws {
  const { n, block, seed, resamples = RESAMPLES } = options;
  if (!(n >= 1) || !(block >= 1 && block <= n)) {
    throw new RatchetError('metrics.blocks', `no blocks of ${block} in ${n} rows`);
  }
  const uniform = seededUniform(seed);
  const starts = new Int32Array(resamples * Math.ceil(n / block));
  for (let i = 0; i < starts.length; i++) starts[i] = Math.floor(uniform() * n);
  return { n, block, resamples, starts, tooFewBlocks: n / block < MIN_BLOCKS };
}

/**
 * Means of each column over all rows and in each resample: index 0 is the data itself, then the resamples.
 * Formula: sum of the drawn time stamps' sums over the number of rows drawn.
 */
export function resampledMeans(
  columns: readonly Float64Array[],
  groups: TimeGroups,
  draws: BlockDraws,
): Float64Array[] {
  const counts = prefixSums(new Float64Array(groups.group.length).fill(1), groups);
  const rows = sumsOfResamples(counts, draws);
  return columns.map((column) => {
    const sums = sumsOfResamples(prefixSums(column, groups), draws);
    return sums.map((sum, i) => sum / rows[i]!);
  });
}

/** Interval of any function of the columns' means. */
export function bootstrapInterval(
  columns: readonly Float64Array[],
  value: (means: readonly number[]) => number,
  groups: TimeGroups,
  draws: BlockDraws,
): Interval {
  const means = resampledMeans(columns, groups, draws);
  const point = value(means.map((m) => m[0]!));
  const values = new Float64Array(draws.resamples);
  for (let r = 0; r < values.length; r++) values[r] = value(means.map((m) => m[r + 1]!));
  return intervalOf(point, values, draws.tooFewBlocks);
}

/** 2.5 % and 97.5 % percentiles; undefined resamples (NaN) leave the interval undefined. */
export function intervalOf(
  point: number,
  resampled: Float64Array,
  tooFewBlocks: boolean,
): Interval {
  if (!Number.isFinite(point)) return { value: null, low: null, high: null, tooFewBlocks };
  if (!resampled.every(Number.isFinite)) {
    return { value: point, low: null, high: null, tooFewBlocks };
  }
  const sorted = resampled.toSorted();
  return {
    value: point,
    low: quantileOfSorted(sorted, 0.025),
    high: quantileOfSorted(sorted, 0.975),
    tooFewBlocks,
  };
}

/** Linear interpolation between order statistics (numpy's default); NaN of nothing. */
export function quantileOfSorted(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below] ?? NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? NaN;
  return low + (at - below) * (high - low);
}

/** prefix[i] = sum over time stamps before i; twice around, so that a block may cross the end. */
function prefixSums(column: Float64Array, { count, group }: TimeGroups): Float64Array {
  const byTime = new Float64Array(count);
  for (let i = 0; i < column.length; i++) byTime[group[i]!]! += column[i]!;
  const prefix = new Float64Array(2 * count + 1);
  for (let i = 0; i < 2 * count; i++) prefix[i + 1] = prefix[i]! + byTime[i % count]!;
  return prefix;
}

/** [0]: all time stamps; [r + 1]: those of resample r, its last block cut so that n are drawn. */
function sumsOfResamples(prefix: Float64Array, draws: BlockDraws): Float64Array {
  const { n, block, resamples, starts } = draws;
  const perResample = Math.ceil(n / block);
  const lastLength = n - (perResample - 1) * block;
  const sums = new Float64Array(resamples + 1);
  sums[0] = prefix[n]!;
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let b = 0; b < perResample; b++) {
      const start = starts[r * perResample + b]!;
      const length = b === perResample - 1 ? lastLength : block;
      sum += prefix[start + length]! - prefix[start]!;
    }
    sums[r + 1] = sum;
  }
  return sums;
}
