/**
 * Does the challenger lose less than the other, on the same rows?
 * Formulas: STATISTICS 3.2 and 3.3. Equal-weighted cosine estimator of the long-run variance
 * (Lazarus, Lewis, Stock, Watson 2018; fixed smoothing as in Coroneo and Iacone 2020), Welch-Satterthwaite
 * degrees of freedom for the spread over seeds, and the classical Diebold-Mariano test with the
 * Harvey-Leybourne-Newbold correction beside it.
 */
import { RatchetError } from '../errors.ts';
import { assertSameLength, meanOf } from './metric.ts';
import { studentTUpperTail } from './student-t.ts';

/** Below this many independent horizons (n / h) nothing can be said. */
export const MIN_INDEPENDENT = 20;

export interface Comparison {
  /**
   * `tested`: p is the one-sided probability of such an advantage between equals.
   * `insufficientEvidence`: fewer than 20 independent horizons. `notFinite`: a loss is NaN or infinite.
   */
  readonly status: 'tested' | 'insufficientEvidence' | 'notFinite';
  /** Decision times (rows after averaging instruments). */
  readonly rows: number;
  readonly horizon: number;
  /** rows / horizon. */
  readonly independent: number;
  readonly otherLoss: number;
  /** Mean over rows and seeds. */
  readonly challengerLoss: number;
  /** mean(d) = otherLoss - challengerLoss; positive: the challenger is better. */
  readonly meanDifference: number;
  /** mean(d) / otherLoss. */
  readonly relativeDifference: number;
  readonly seeds: number;
  /** Variance over seeds (ddof 1) of the mean loss; 0 for one seed. */
  readonly seedVariance: number;
  /** Cosine terms B, statistic T, degrees of freedom and one-sided p; null unless tested. */
  readonly test: {
    readonly terms: number;
    readonly statistic: number;
    readonly degreesOfFreedom: number;
    readonly p: number;
  } | null;
  /** Classical Diebold-Mariano beside it; null where not tested or its variance is not positive. */
  readonly dieboldMariano: { readonly statistic: number; readonly p: number } | null;
}

export interface LossSeries {
  /** Loss of the champion, baseline or reference, one a decision time. */
  readonly other: Float64Array;
  /** Loss of the challenger, one series a seed. */
  readonly challenger: readonly Float64Array[];
  /** Longest horizon in bars: how far neighbouring losses overlap. */
  readonly horizon: number;
}

/** Compares losses; total over finite and non-finite input. Throws only on lengths that differ. */
export function compareLosses({ other, challenger, horizon }: LossSeries): Comparison {
  assertSameLength('loss series', other, ...challenger);
  if (challenger.length === 0 || horizon < 1) {
    throw new RatchetError('metrics.empty', 'a comparison needs a seed and a horizon of 1 or more');
  }
  const n = other.length;
  const d = differences(other, challenger);
  const means = challenger.map(meanOf);
  const challengerLoss = means.reduce((a, b) => a + b, 0) / means.length;
  const otherLoss = meanOf(other);
  const seedVariance =
    means.length < 2
      ? 0
      : means.reduce((sum, m) => sum + (m - challengerLoss) ** 2, 0) / (means.length - 1);
  const meanDifference = n === 0 ? NaN : meanOf(d);
  const base = {
    rows: n,
    horizon,
    independent: n / horizon,
    otherLoss,
    challengerLoss,
    meanDifference,
    relativeDifference: otherLoss > 0 ? meanDifference / otherLoss : NaN,
    seeds: challenger.length,
    seedVariance,
  };
  if (n / horizon < MIN_INDEPENDENT) {
    return { ...base, status: 'insufficientEvidence', test: null, dieboldMariano: null };
  }
  if (!d.every(Number.isFinite) || !Number.isFinite(seedVariance)) {
    return { ...base, status: 'notFinite', test: null, dieboldMariano: null };
  }
  if (isConstant(d, other)) {
    const terms = cosineTerms(n, horizon);
    const test = { terms, statistic: 0, degreesOfFreedom: terms, p: 1 };
    return { ...base, status: 'tested', test, dieboldMariano: null };
  }
  const test = cosineTest(d, horizon, seedVariance, challenger.length);
  return { ...base, status: 'tested', test, dieboldMariano: dieboldMariano(d, horizon) };
}

/** d[t] = other loss - mean over seeds of the challenger's loss. */
function differences(other: Float64Array, challenger: readonly Float64Array[]): Float64Array {
  const d = new Float64Array(other.length);
  for (let t = 0; t < d.length; t++) {
    let sum = 0;
    for (const losses of challenger) sum += losses[t]!;
    d[t] = other[t]! - sum / challenger.length;
  }
  return d;
}

/**
 * Does d vary by no more than the rounding of the losses? The same model twice, or a fixed advantage: there is no
 * sampling error to compare it with, and that is no evidence rather than infinite evidence.
 */
function isConstant(d: Float64Array, losses: Float64Array): boolean {
  const rounding = 1e-12 * losses.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const mean = meanOf(d);
  return d.every((x) => Math.abs(x - mean) <= rounding);
}

/** B = max(4, floor(min(0.4 n^(2/3), n / (2 h)))). */
export function cosineTerms(n: number, horizon: number): number {
  return Math.max(4, Math.floor(Math.min(0.4 * Math.cbrt(n) ** 2, n / (2 * horizon))));
}

/** omega = mean_j a_j^2, a_j = sqrt(2/n) sum_i d[i] cos(pi j (i + 0.5) / n). Never negative. */
export function longRunVariance(d: Float64Array, terms: number): number {
  const n = d.length;
  // All angles are multiples of pi / 2n, of which 4n differ: a table spares n x terms cosines.
  const turn = 4 * n;
  const cosines = new Float64Array(turn);
  for (let m = 0; m < turn; m++) cosines[m] = Math.cos((Math.PI * m) / (2 * n));
  let omega = 0;
  for (let j = 1; j <= terms; j++) {
    let a = 0;
    let angle = j % turn;
    const step = (2 * j) % turn;
    for (let i = 0; i < n; i++) {
      a += d[i]! * cosines[angle]!;
      angle += step;
      if (angle >= turn) angle -= turn;
    }
    omega += (a * a * 2) / n;
  }
  return omega / terms;
}

function cosineTest(
  d: Float64Array,
  horizon: number,
  seedVariance: number,
  seeds: number,
): NonNullable<Comparison['test']> {
  const n = d.length;
  const terms = cosineTerms(n, horizon);
  const overTime = longRunVariance(d, terms) / n;
  const overSeeds = seedVariance / seeds;
  const variance = overTime + overSeeds;
  const mean = meanOf(d);
  const degreesOfFreedom =
    overSeeds > 0 ? variance ** 2 / (overTime ** 2 / terms + overSeeds ** 2 / (seeds - 1)) : terms;
  const statistic = mean / Math.sqrt(variance);
  return { terms, statistic, degreesOfFreedom, p: studentTUpperTail(statistic, degreesOfFreedom) };
}

/**
 * Diebold-Mariano, rectangular window of h - 1 lags, times the Harvey-Leybourne-Newbold factor
 * sqrt((n + 1 - 2h + h(h - 1)/n) / n), against t with n - 1 degrees of freedom.
 */
function dieboldMariano(d: Float64Array, horizon: number): Comparison['dieboldMariano'] {
  const n = d.length;
  const mean = meanOf(d);
  const autocovariance = (lag: number): number => {
    let sum = 0;
    for (let t = lag; t < n; t++) sum += (d[t]! - mean) * (d[t - lag]! - mean);
    return sum / n;
  };
  const gamma0 = autocovariance(0);
  let variance = gamma0;
  for (let lag = 1; lag < horizon; lag++) variance += 2 * autocovariance(lag);
  if (!(variance > 1e-14 * gamma0) || gamma0 === 0) return null;
  const correction = (n + 1 - 2 * horizon + (horizon * (horizon - 1)) / n) / n;
  const statistic = (mean / Math.sqrt(variance / n)) * Math.sqrt(Math.max(correction, 0));
  return { statistic, p: studentTUpperTail(statistic, n - 1) };
}
