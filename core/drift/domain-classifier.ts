import {
  type ClassRows,
  fitLogisticRidge,
  gramOf,
  type Stop,
  type Stretch,
} from './logistic-ridge.ts';

/** Blocks of time that are scored by a model that never saw them. */
export const FOLDS = 5;
/** Rows of each class that are read, evenly spaced: enough for an AUC (SE .03), and 41 windows take a second. */
export const MAX_ROWS = 150;
/** Ridge penalty per training row, features in SDs: neighbouring rows are nearly copies, so it is not small. */
const PENALTY = 0.05;
/** The order of the scores, which is all that an AUC reads, settles long before the coefficients do. */
const STOP: Stop = { tolerance: 1e-3, maxSteps: 15 };

/** Rows of one class in time order, row-major; NaN: missing. */
export interface DomainRows {
  readonly rows: number;
  readonly values: Float64Array;
}

/**
 * How well a classifier tells the window's rows from the reference's: AUC of the domain classifier ("classifier
 * two-sample test", Friedman 2003; Lopez-Paz and Oquab 2017), out of fold.
 *
 * Each class is cut into five blocks of time; block i of both is scored by a ridge logistic regression fitted to the
 * others, on features in SDs of all rows (a missing value counts as the mean); the answer is the mean of the
 * five AUCs, weighted by their pairs. Blocks, not random folds: neighbouring rows are nearly equal, and a row
 * whose neighbour was trained on would be recognised rather than classified. 0..1, .5: not told apart (for dependent
 * rows often below). Never judged by itself, only against the same figure of earlier windows.
 * Deterministic: more than 200 rows of a class are thinned evenly. NaN with fewer than five rows in either class.
 */
export function domainClassifierAuc(
  reference: DomainRows,
  window: DomainRows,
  columns: number,
): number {
  if (reference.rows < FOLDS || window.rows < FOLDS || columns === 0) return NaN;
  const old = thinned(reference, columns);
  const fresh = thinned(window, columns);
  const all = joined(old, fresh, columns);
  standardise(all);
  const gram = gramOf(all, [[0, all.y.length]]);
  let sum = 0;
  let pairs = 0;
  for (let fold = 0; fold < FOLDS; fold++) {
    const { train, test } = splitOf(all.y.length, old.rows, fold);
    const left = gramOf(all, test);
    for (let i = 0; i < left.length; i++) left[i] = gram[i]! - left[i]!;
    const penalty = PENALTY * rowsOf(train);
    const model = fitLogisticRidge(all, penalty, { stretches: train, gram: left, stop: STOP });
    const { scores, y } = scoresOf(model.coefficients, all, test);
    const positives = y.reduce((count, one) => count + one, 0);
    const weight = positives * (y.length - positives);
    sum += weight * areaUnderCurve(scores, y);
    pairs += weight;
  }
  return sum / pairs;
}

/** Positions of at most MAX_ROWS of `rows` rows, evenly spaced over the time. */
export function thinnedRows(rows: number): Int32Array {
  const kept = Math.min(rows, MAX_ROWS);
  return Int32Array.from({ length: kept }, (_, i) => Math.floor(((i + 0.5) * rows) / kept));
}

function thinned({ rows, values }: DomainRows, columns: number): DomainRows {
  if (rows <= MAX_ROWS) return { rows, values };
  const kept = thinnedRows(rows);
  const out = new Float64Array(kept.length * columns);
  kept.forEach((row, i) =>
    out.set(values.subarray(row * columns, (row + 1) * columns), i * columns),
  );
  return { rows: kept.length, values: out };
}

/** The reference's rows, then the window's. */
function joined(old: DomainRows, fresh: DomainRows, columns: number): ClassRows {
  const x = new Float64Array((old.rows + fresh.rows) * columns);
  x.set(old.values);
  x.set(fresh.values, old.rows * columns);
  return { columns, x, y: new Uint8Array(old.rows + fresh.rows).fill(1, old.rows) };
}

/** Block `fold` of each class against all others; the first `olds` rows are one class, the rest the other. */
function splitOf(
  rows: number,
  olds: number,
  fold: number,
): { readonly train: readonly Stretch[]; readonly test: readonly Stretch[] } {
  const old = blockOf(fold, 0, olds);
  const fresh = blockOf(fold, olds, rows);
  return {
    train: [
      [0, old[0]],
      [old[1], fresh[0]],
      [fresh[1], rows],
    ],
    test: [old, fresh],
  };
}

/** Where a block of time of the rows `first` to `end - 1` lies. */
function blockOf(fold: number, first: number, end: number): Stretch {
  const edge = (at: number): number => first + Math.floor((at * (end - first)) / FOLDS);
  return [edge(fold), edge(fold + 1)];
}

const rowsOf = (stretches: readonly Stretch[]): number =>
  stretches.reduce((sum, [from, to]) => sum + to - from, 0);

/** In place, to mean 0 and SD 1; missing values and constant columns become 0. It reads no classes, so it leaks none. */
function standardise({ columns, x }: ClassRows): void {
  for (let c = 0; c < columns; c++) {
    let count = 0;
    let mean = 0;
    let squares = 0;
    for (let at = c; at < x.length; at += columns) {
      const value = x[at]!;
      if (!Number.isFinite(value)) continue;
      count++;
      const off = value - mean;
      mean += off / count;
      squares += off * (value - mean);
    }
    const sd = Math.sqrt(squares / count);
    // A column that is constant up to rounding tells nothing, and would blow rounding up to SDs.
    const scale = sd > 1e-12 * Math.abs(mean) ? 1 / sd : 0;
    for (let at = c; at < x.length; at += columns) {
      const scaled = (x[at]! - mean) * scale;
      x[at] = Number.isFinite(scaled) ? scaled : 0;
    }
  }
}

/** Scores of some stretches of rows, with their classes. */
function scoresOf(
  coefficients: Float64Array,
  { columns, x, y }: ClassRows,
  stretches: readonly Stretch[],
): { readonly scores: Float64Array; readonly y: Uint8Array } {
  const rows = rowsOf(stretches);
  const scored = { scores: new Float64Array(rows), y: new Uint8Array(rows) };
  let at = 0;
  for (const [from, to] of stretches) {
    for (let row = from; row < to; row++, at++) {
      let score = 0;
      for (let c = 0; c < columns; c++) score += x[row * columns + c]! * coefficients[c]!;
      scored.scores[at] = score;
      scored.y[at] = y[row]!;
    }
  }
  return scored;
}

/**
 * Area under the ROC curve (Mann and Whitney 1947): probability that a row of class 1 scores above one of class 0,
 * equal scores counting one half. NaN where a class has no rows. O(n log n).
 */
export function areaUnderCurve(scores: Float64Array, y: Uint8Array): number {
  const of = (label: number): Float64Array => scores.filter((_, row) => y[row] === label).sort();
  const [zeros, ones] = [of(0), of(1)];
  let below = 0;
  let equal = 0;
  let sum = 0;
  for (const score of ones) {
    while (below < zeros.length && zeros[below]! < score) below++;
    equal = Math.max(equal, below);
    while (equal < zeros.length && zeros[equal]! === score) equal++;
    sum += below + (equal - below) / 2;
  }
  return sum / (zeros.length * ones.length);
}
