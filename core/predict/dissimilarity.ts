import type { OutlierReference } from '../packages/outliers.ts';
import { pointSearch, squaredDistance, type PointSearch } from './nearest-point.ts';

/** Points of a reference: a request compares its row with each of them. */
const MAX_POINTS = 2_000;
/** Rows that points are chosen from; of more, as many evenly spaced ones (selection costs rows x points). */
const MAX_ROWS = 20_000;
/** Rows whose distance to the points makes the threshold. */
const MAX_THRESHOLD_ROWS = 2_000;
/** A row is an outlier when it is further away than this share of the training rows. */
const QUANTILE = 0.95;
/**
 * Neighbouring bars share most of what their features are computed from: left among the points, yesterday's
 * row makes every training row look near, and a served row has no such neighbour. Beyond 250 bars no bar is
 * shared. Measured on fresh rows of an unchanged hourly walk (4,800 bars, two seeds): 97 % above the
 * threshold with neighbours left in, 2 to 8 % without.
 */
const APART_BARS = 250;
/** Points between two calls of `breathe`: some 150 ms at the largest size. */
const POINTS_A_BREATH = 50;

/** Rows that a model was fitted on, by reference to a matrix. */
export interface TrainingRows {
  /** Row-major [rows x features], unscaled. */
  readonly features: Float64Array;
  readonly featureCount: number;
  /** Rows of the matrix: the last one of each training window. */
  readonly rows: Int32Array;
  /** ms UTC by row of the matrix: says which rows are neighbours, of one instrument or several. */
  readonly openTime: Float64Array;
  readonly lookback: number;
}

/** `max` of the rows, evenly spaced; all of them where there are fewer. */
function thinned(count: number, max: number): Int32Array {
  const n = Math.min(count, max);
  return Int32Array.from({ length: n }, (_, i) =>
    n === 1 ? 0 : Math.round((i * (count - 1)) / (n - 1)),
  );
}

/** Mean and 1 / SD (population) by feature; factor 0 where a feature never changes. */
function standardisation({ features, featureCount, rows }: TrainingRows) {
  const offset = new Float64Array(featureCount);
  const square = new Float64Array(featureCount);
  for (const row of rows) {
    for (let c = 0; c < featureCount; c++) offset[c]! += features[row * featureCount + c]!;
  }
  for (let c = 0; c < featureCount; c++) offset[c]! /= rows.length;
  for (const row of rows) {
    for (let c = 0; c < featureCount; c++) {
      square[c]! += (features[row * featureCount + c]! - offset[c]!) ** 2;
    }
  }
  // Rounding leaves a constant column an SD of some 1e-16 of its size, not 0.
  const factor = square.map((sum, c) => {
    const sd = Math.sqrt(sum / rows.length);
    return sd > 1e-12 * Math.abs(offset[c]!) ? 1 / sd : 0;
  });
  return { offset, factor };
}

/** Row nearest to the mean of all, which is 0: a start that does not depend on the order of rows. */
function centre(z: Float32Array, width: number): number {
  const zero = new Float32Array(width);
  let [best, at] = [Infinity, 0];
  for (let i = 0; i * width < z.length; i++) {
    const distance = squaredDistance(z, i * width, zero, 0, width, best);
    if (distance < best) [best, at] = [distance, i];
  }
  return at;
}

/**
 * Farthest-first traversal: each next point is the row furthest from those chosen so far (the first of
 * equals). Its largest distance from any row to its nearest point is at most twice the smallest possible
 * for as many points, so that rare regimes of the training rows keep a point of their own, which evenly
 * spaced rows or cluster centres lose. Deterministic. Reference: Gonzalez (1985), Theoretical Computer
 * Science 38. Gives row numbers; fewer than `count` where the other rows repeat chosen ones.
 */
async function farthestFirst(
  z: Float32Array,
  width: number,
  count: number,
  breathe: () => Promise<void>,
): Promise<number[]> {
  const rows = z.length / width;
  const nearest = new Float64Array(rows).fill(Infinity);
  const chosen: number[] = [];
  let next = centre(z, width);
  for (;;) {
    chosen.push(next);
    if (chosen.length % POINTS_A_BREATH === 0) await breathe();
    let [furthest, at] = [0, -1];
    for (let i = 0; i < rows; i++) {
      const known = nearest[i]!;
      const distance = squaredDistance(z, i * width, z, next * width, width, known);
      const least = distance < known ? distance : known;
      nearest[i] = least;
      if (least > furthest) [furthest, at] = [least, i];
    }
    if (at < 0 || chosen.length === count) return chosen;
    next = at;
  }
}

/** Position of a row's time among all training times: neighbours of every instrument count alike. */
function timeRanks({ rows, openTime }: TrainingRows): ReadonlyMap<number, number> {
  const times = [...new Set(Array.from(rows, (row) => openTime[row]!))].sort((a, b) => a - b);
  return new Map(times.map((time, i) => [time, i]));
}

/** Distances from rows to their nearest point that is not a neighbour in time; rows without one left out. */
async function distancesApart(
  z: Float32Array,
  width: number,
  chosen: readonly number[],
  rank: Int32Array,
  apart: number,
  breathe: () => Promise<void>,
): Promise<Float64Array> {
  const distances: number[] = [];
  for (const [k, i] of thinned(z.length / width, MAX_THRESHOLD_ROWS).entries()) {
    if (k % POINTS_A_BREATH === 0) await breathe();
    let best = Infinity;
    for (const j of chosen) {
      if (Math.abs(rank[j]! - rank[i]!) < apart) continue;
      const distance = squaredDistance(z, i * width, z, j * width, width, best);
      if (distance < best) best = distance;
    }
    if (best < Infinity) distances.push(Math.sqrt(best));
  }
  return Float64Array.from(distances).sort();
}

/**
 * Chooses what served rows are compared with: at most 2,000 of the training rows (last row of each
 * window), standardised by feature, and the distance that 5 % of the training rows exceed to the nearest
 * point at least `max(250, lookback)` bars away (a quarter of the training times, where those are few).
 *
 * Formula: threshold = 95 % quantile (nearest rank) of d(i, nearest point apart from i), d Euclidean.
 * Same rows, same bits. Gives undefined where no distance is above 0. `breathe` is called every tenth of a
 * second or so, and may throw to stop. Reference: the dissimilarity index of Meyer and Pebesma (2021),
 * Methods in Ecology and Evolution 12, whose threshold is likewise one of data apart from each other.
 */
export async function fitOutlierReference(
  training: TrainingRows,
  breathe: () => Promise<void>,
): Promise<OutlierReference | undefined> {
  const { features, featureCount: width, lookback } = training;
  if (training.rows.length < 2) return undefined;
  const { offset, factor } = standardisation(training);
  const rows = thinned(training.rows.length, MAX_ROWS).map((i) => training.rows[i]!);
  const z = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    for (let c = 0; c < width; c++) {
      z[i * width + c] = (features[row * width + c]! - offset[c]!) * factor[c]!;
    }
  });
  const ranks = timeRanks(training);
  const rank = rows.map((row) => ranks.get(training.openTime[row]!)!);
  const quarter = Math.floor(ranks.size / 4);
  const apart = Math.max(1, Math.min(Math.max(APART_BARS, lookback), quarter));
  const chosen = await farthestFirst(z, width, MAX_POINTS, breathe);
  const distances = await distancesApart(z, width, chosen, rank, apart, breathe);
  const threshold = distances[Math.ceil(QUANTILE * distances.length) - 1] ?? 0;
  if (!(threshold > 0)) return undefined;
  const points = new Float32Array(chosen.length * width);
  chosen.forEach((i, j) => points.set(z.subarray(i * width, (i + 1) * width), j * width));
  return {
    ...{ offset, factor, points, threshold, quantile: QUANTILE },
    apartBars: apart,
    trainRows: training.rows.length,
  };
}

const searches = new WeakMap<OutlierReference, PointSearch>();

function searchOf(reference: OutlierReference): PointSearch {
  const known = searches.get(reference);
  if (known) return known;
  const made = pointSearch(reference);
  searches.set(reference, made);
  return made;
}

/**
 * Dissimilarity index of a row of raw features: its distance to the nearest point over the reference's
 * threshold. 0: a training row; above 1: further from everything the model was fitted on than 95 % of the
 * training rows are from the rest. Finite for finite rows.
 */
export function dissimilarityOf(reference: OutlierReference, row: Float64Array): number {
  const { offset, factor, threshold } = reference;
  const z = new Float64Array(offset.length);
  for (let c = 0; c < z.length; c++) z[c] = (row[c]! - offset[c]!) * factor[c]!;
  return Math.sqrt(searchOf(reference)(z)) / threshold;
}
