import { RatchetError } from '../errors.ts';
import type { LabelKind, RegressionLabel } from '../labels/label.ts';
import type { PlausibleRange } from '../packages/manifest.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import type { AbstainReason, HorizonAnswer } from './answer.ts';
import { dissimilarityOf } from './dissimilarity.ts';
import type { PredictionWindow } from './window.ts';

/**
 * Training-label SDs around their mean within which a forecast is plausible. A forecast is an expectation
 * and varies less than its label, whose own largest values in a century of daily bars lie at some 20 SD (one
 * day) and 8 SD (a month): beyond 8 a network was driven to where it has learnt nothing.
 */
const PLAUSIBLE_SDS = 8;

/** The range of plausible forecasts; undefined where a label never changes and has no scale. */
export function plausibleRange(
  mean: readonly number[],
  variance: readonly number[],
): PlausibleRange | undefined {
  if (!variance.every((v) => v > 0)) return undefined;
  const byHorizon = mean.map((m, k) => {
    const width = PLAUSIBLE_SDS * Math.sqrt(variance[k]!);
    return { low: m - width, high: m + width };
  });
  return { sds: PLAUSIBLE_SDS, byHorizon };
}

/**
 * Refuses forecasts (learnt label units, by horizon) that are not finite (`predict.non-finite`), or outside
 * the package's range or at or below a price of 0 (`predict.implausible`).
 */
export function checkForecast(pkg: VerifiedPackage, values: Float64Array, kind: LabelKind): void {
  if (kind.task === 'classification') checkProbabilities(pkg, values, kind.classes.length);
  else checkValues(pkg, values, kind);
}

function checkValues(pkg: VerifiedPackage, values: Float64Array, kind: RegressionLabel): void {
  const { model, version } = pkg.manifest;
  const { label, plausible } = pkg.preprocessing;
  for (const [k, value] of values.entries()) {
    const horizon = label.horizons[k];
    const [change, range] = [kind.returnFrom(value), plausible?.byHorizon[k]];
    if (!Number.isFinite(change)) throw nonFinite(pkg, horizon);
    if (change > -1 && !(range && (value < range.low || value > range.high))) continue;
    throw new RatchetError(
      'predict.implausible',
      `${model} ${version} computed a change of ${(100 * change).toPrecision(3)} % over ${horizon} bars, ` +
        'which is outside what its training data make plausible',
      { details: { model, version, horizon, change } },
    );
  }
}

/** How far probabilities that were computed in float32 may lie outside 0..1, or their sum from 1. */
const PROBABILITY_SLACK = 1e-4;

function checkProbabilities(pkg: VerifiedPackage, values: Float64Array, classes: number): void {
  const { model, version } = pkg.manifest;
  for (const [k, horizon] of pkg.preprocessing.label.horizons.entries()) {
    const p = values.subarray(k * classes, (k + 1) * classes);
    const sum = p.reduce((a, b) => a + b, 0);
    if (!Number.isFinite(sum)) throw nonFinite(pkg, horizon);
    const inside = p.every((x) => x >= -PROBABILITY_SLACK && x <= 1 + PROBABILITY_SLACK);
    if (inside && Math.abs(sum - 1) <= PROBABILITY_SLACK) continue;
    throw new RatchetError(
      'predict.implausible',
      `${model} ${version} computed probabilities for ${horizon} bars that add up to ${sum.toPrecision(3)}`,
      { details: { model, version, horizon, sum } },
    );
  }
}

/** A model that computed a NaN or an infinity. */
export function nonFinite(pkg: VerifiedPackage, horizon: number | undefined): RatchetError {
  const { model, version } = pkg.manifest;
  return new RatchetError(
    'predict.non-finite',
    `${model} ${version} computed a forecast that is not a finite number`,
    { details: { model, version, horizon } },
  );
}

/** A class that is hardly more probable than the most frequent one always is says nothing. */
const DECIDED_BY = 0.02;

function isUndecided(
  { preprocessing }: VerifiedPackage,
  horizons: readonly HorizonAnswer[],
): boolean {
  const { priors } = preprocessing.classes ?? {};
  if (priors === undefined) return false;
  return horizons.every(({ classes }, k) => {
    const most = Math.max(...Object.values(classes?.probabilities ?? {}));
    return most < Math.max(...priors[k]!) + DECIDED_BY;
  });
}

/** What an answer says about how far it can be relied on. */
export interface Reliance {
  readonly dissimilarity: number | null;
  readonly outlier: boolean;
  readonly abstain: boolean;
  readonly abstainReasons: readonly AbstainReason[];
}

const DECIMALS = 1e4;

/** How unlike the training rows a window's last row is; null where the package cannot say. */
export function windowDissimilarity(
  { outliers: reference, preprocessing }: VerifiedPackage,
  window: PredictionWindow,
): number | null {
  if (!reference) return null;
  const lastRow = window.values.subarray(-preprocessing.featureNames.length);
  // Rounded: digits beyond say nothing, and the flag must follow from the number that is shown.
  return Math.round(dissimilarityOf(reference, lastRow) * DECIMALS) / DECIMALS;
}

/**
 * Whether the package's rule says to abstain: the window is an outlier; or every known confidence is below the least one
 * wanted; or a confidence that was asked for could not be computed. Where none was asked for (`confidence: none`),
 * sureness is not judged.
 */
export function relianceOf(
  pkg: VerifiedPackage,
  dissimilarity: number | null,
  horizons: readonly HorizonAnswer[],
  confidenceFailed: boolean,
): Reliance {
  const { preprocessing } = pkg;
  const outlier = dissimilarity !== null && dissimilarity > 1;
  const rule = preprocessing.abstain;
  if (!rule) return { dissimilarity, outlier, abstain: false, abstainReasons: [] };
  const reasons: AbstainReason[] = outlier ? ['outlier'] : [];
  if (isUndecided(pkg, horizons)) reasons.push('undecided');
  if (rule.minConfidence !== undefined) {
    const least = rule.minConfidence;
    const known = horizons.flatMap(({ confidence }) => (confidence === null ? [] : [confidence]));
    if (confidenceFailed) reasons.push('confidence-failed');
    else if (known.length > 0 && known.every((c) => c < least)) reasons.push('low-confidence');
  }
  return { dissimilarity, outlier, abstain: reasons.length > 0, abstainReasons: reasons };
}
