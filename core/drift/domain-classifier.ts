import { type ClassRows, fitLogisticRidge, gramOf, type Stop } from './logistic-ridge.ts';

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
  const gram = gramOf(all.x, columns);
  let [sum, pairs] = [0, 0];
  for (let fold = 0; fold < FOLDS; fold++) {
    const { train, test } = splitOf(all, old.rows, fold);
    const left = gramOf(test.x, columns).map((value, i) => gram[i]! - value);
    const model = fitLogisticRidge(train, PENALTY * train.y.length, { gram: left, stop: STOP });
    const positives = test.y.reduce((count, y) => count + y, 0);
    const weight = positives * (test.y.length - positives);
    sum += weight * areaUnderCurve(scoresOf(model.coefficients, test.x), test.y);
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
  { columns, x, y }: ClassRows,
  olds: number,
  fold: number,
): { readonly train: ClassRows; readonly test: ClassRows } {
  const edge = (rows: number, at: number): number => Math.floor((at * rows) / FOLDS);
  const isTest = (row: number): boolean => {
    const [at, rows] = row < olds ? [row, olds] : [row - olds, y.length - olds];
    return at >= edge(rows, fold) && at < edge(rows, fold + 1);
  };
  const pick = (rows: readonly number[]): ClassRows => {
    const picked = new Float64Array(rows.length * columns);
    rows.forEach((row, i) =>
      picked.set(x.subarray(row * columns, (row + 1) * columns), i * columns),
    );
    return { columns, x: picked, y: Uint8Array.from(rows, (row) => y[row]!) };
  };
  const all = [...y.keys()];
  return { train: pick(all.filter((row) => !isTest(row))), test: pick(all.filter(isTest)) };
}

/** In place, to mean 0 and SD 1; missing values and constant columns become 0. It reads no classes, so it leaks none. */
function standardise({ columns, x }: ClassRows): void {
  for (let c = 0; c < columns; c++) {
    let [count, mean, squares] = [0, 0, 0];
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

function scoresOf(coefficients: Float64Array, x: Float64Array): Float64Array {
  const columns = coefficients.length;
  const scores = new Float64Array(x.length / columns);
  for (let row = 0; row < scores.length; row++) {
    let score = 0;
    for (let c = 0; c < columns; c++) score += x[row * columns + c]! * coefficients[c]!;
    scores[row] = score;
  }
  return scores;
}

/**
 * Area under the ROC curve (Mann and Whitney 1947): probability that a row of class 1 scores above one of class 0,
 * equal scores counting one half. NaN where a class has no rows. O(n log n).
 */
export function areaUnderCurve(scores: Float64Array, y: Uint8Array): number {
  const of = (label: number): Float64Array => scores.filter((_, row) => y[row] === label).sort();
  const [zeros, ones] = [of(0), of(1)];
  let [below, equal, sum] = [0, 0, 0];
  for (const score of ones) {
    while (below < zeros.length && zeros[below]! < score) below++;
    equal = Math.max(equal, below);
    while (equal < zeros.length && zeros[equal]! === score) equal++;
    sum += below + (equal - below) / 2;
  }
  return sum / (zeros.length * ones.length);
}
