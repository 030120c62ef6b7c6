/**
 * Correlations of two columns, each row counting as often as its unit was drawn.
 * Formulas: Pearson `cov(x, y) / (SD(x) SD(y))`; Spearman the same of midranks, where the ranks are those among
 * all rows drawn, so that equal weights of 1 give scipy's values.
 * Edge cases: NaN where a column does not vary (a constant forecast has no correlation), has a NaN or is empty.
 */

/** Two columns of equal length, and the unit that each row is drawn with. */
export interface Pairs {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly unit: Int32Array;
}

/** A column that differs from its first value by rounding only is constant. */
const ROUNDING = 1e-9;

/** The column less its first value, which no correlation sees, and exactly 0 where it does not vary. */
export function centred(column: Float64Array): Float64Array {
  const first = column[0] ?? NaN;
  const shifted = column.map((value) => value - first);
  const most = Math.abs(first) * ROUNDING;
  return shifted.every((value) => Math.abs(value) <= most) ? shifted.fill(0) : shifted;
}

/** From the means of x, y, x^2, y^2 and xy. */
export function correlationOfMeans([
  x = NaN,
  y = NaN,
  xx = NaN,
  yy = NaN,
  xy = NaN,
]: readonly number[]): number {
  const [varianceX, varianceY] = [xx - x * x, yy - y * y];
  const varies = varianceX > CANCELLED * xx && varianceY > CANCELLED * yy;
  return varies ? clamp((xy - x * y) / Math.sqrt(varianceX * varianceY)) : NaN;
}
/** Less of a square is left only by rounding. */
const CANCELLED = 1e-15;

const clamp = (r: number): number => Math.min(1, Math.max(-1, r));

/** Pearson correlation of two columns. */
export function pearson(x: Float64Array, y: Float64Array): number {
  const unit = new Int32Array(x.length);
  return weightedPearson({ x: centred(x), y: centred(y), unit }, Float64Array.of(1));
}

/** Spearman correlation of two columns. */
export function spearman(x: Float64Array, y: Float64Array): number {
  const unit = Int32Array.from(x.keys());
  return spearmanOf({ x, y, unit })(new Float64Array(x.length).fill(1));
}

/** Pearson correlation; subtract a common value first where the columns lie far from 0 (see `centred`). */
function weightedPearson({ x, y, unit }: Pairs, weights: Float64Array): number {
  let n = 0;
  let meanX = 0;
  let meanY = 0;
  for (let i = 0; i < x.length; i++) {
    const w = weights[unit[i]!]!;
    n += w;
    meanX += w * x[i]!;
    meanY += w * y[i]!;
  }
  meanX /= n;
  meanY /= n;
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (let i = 0; i < x.length; i++) {
    const w = weights[unit[i]!]!;
    const dx = x[i]! - meanX;
    const dy = y[i]! - meanY;
    xx += w * dx * dx;
    yy += w * dy * dy;
    xy += w * dx * dy;
  }
  return xx > 0 && yy > 0 ? clamp(xy / Math.sqrt(xx * yy)) : NaN;
}

/** Spearman correlation as a function of the units' weights: both columns are sorted once, here. */
export function spearmanOf({ x, y, unit }: Pairs): (weights: Float64Array) => number {
  if (x.some(Number.isNaN) || y.some(Number.isNaN)) return () => NaN;
  const [sortedX, sortedY] = [sortColumn(centred(x), unit), sortColumn(centred(y), unit)];
  const [rankX, rankY] = [new Float64Array(x.length), new Float64Array(x.length)];
  return (weights) => {
    fillRanks(sortedX, weights, rankX);
    fillRanks(sortedY, weights, rankY);
    return weightedPearson({ x: rankX, y: rankY, unit }, weights);
  };
}

/** Midranks of a column without NaN, from 1. */
export function ranksOf(column: Float64Array): Float64Array {
  const unit = Int32Array.from(column.keys());
  const ranks = new Float64Array(column.length);
  fillRanks(sortColumn(centred(column), unit), new Float64Array(column.length).fill(1), ranks);
  return ranks;
}

/** Rows in rising order of a column. */
export interface SortedColumn {
  readonly order: Int32Array;
  /** Unit of the row at each place. */
  readonly unit: Int32Array;
  /** 1 at the last place of each run of equal values. */
  readonly endsTie: Uint8Array;
}

/** Sorts a column without NaN; equal values keep the order of their rows. */
export function sortColumn(column: Float64Array, unit: Int32Array): SortedColumn {
  const order = Int32Array.from(column.keys()).sort((a, b) => column[a]! - column[b]! || a - b);
  const endsTie = new Uint8Array(column.length);
  for (let i = 0; i < order.length; i++) {
    endsTie[i] = i + 1 === order.length || column[order[i]!] !== column[order[i + 1]!] ? 1 : 0;
  }
  return { order, unit: order.map((row) => unit[row]!), endsTie };
}

/** Midranks by row: a run of equal values of weight w after rows of weight c has rank c + (w + 1) / 2. */
function fillRanks(sorted: SortedColumn, weights: Float64Array, ranks: Float64Array): void {
  const { order, unit, endsTie } = sorted;
  let before = 0;
  let tie = 0;
  let from = 0;
  for (let i = 0; i < order.length; i++) {
    tie += weights[unit[i]!]!;
    if (endsTie[i] === 0) continue;
    const rank = before + (tie + 1) / 2;
    for (let j = from; j <= i; j++) ranks[order[j]!] = rank;
    before += tie;
    tie = 0;
    from = i + 1;
  }
}
