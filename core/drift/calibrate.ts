/**
 * The threshold of a model's own CUSUM, from its own out-of-sample losses (STATISTICS 4). Textbook thresholds assume
 * independent normal values; losses are neither.
 */
import { RatchetError } from '../errors.ts';
import { quantileOfSorted } from '../metrics/bootstrap.ts';
import { blockMeans, ROUNDING } from '../metrics/sequential.ts';
import { seededUniform } from '../seeded-uniform.ts';
import { standardised } from './cusum.ts';
import type { Calibration, CalibrationResult } from './schemas.ts';

/** With fewer values neither the mean nor the tail of a year is known. */
export const MIN_VALUES = 400;
export const FALSE_ALARM_RATE = 0.1;
export const PATHS = 1000;
/** Values ignored after an alarm. */
export const COOLDOWN = 21;
const CLIP = 6;
/** A rise of the mean by less than this many SDs is not worth an alarm. */
const ALLOWANCE = 0.25;
/** The mean is estimated: without an allowance for its error a mean that came out low alarms for ever. */
const ERRORS_ALLOWED = 2;
const BINS = 40;

export interface CalibrationOptions {
  /** Values in a year: 252 sessions, 365 days. */
  readonly perYear: number;
  /** Values in a block of the bootstrap; see `blockOf`. */
  readonly block: number;
  readonly seed: number;
  /** Probability of an alarm in an unchanged year, default .10. */
  readonly rate?: number;
  /** Bootstrapped years, default 1,000. */
  readonly paths?: number;
  /** Least variance that the losses were divided by, kept beside the rest for those who divide later ones. */
  readonly floor?: number;
}

/**
 * Mean, SD, allowance k and threshold c of normalised losses `u` in order of time: 1,000 years are put together from
 * blocks of the model's own z (circular block bootstrap, Politis and Romano 1992), and c is the (1 - rate) quantile of
 * their largest sums. k = .25 + 2 SE(mean0), the SE from the means of whole blocks. Only out-of-sample rows may go in:
 * losses of rows that were learnt from are too small. Values that are not finite are left out.
 * `notCalibrated` with fewer than 400 values or without spread. Throws `drift.plan` on options out of range.
 */
export function calibrateCusum(u: Float64Array, options: CalibrationOptions): CalibrationResult {
  const { perYear, block, seed, rate = FALSE_ALARM_RATE, paths = PATHS, floor } = options;
  const whole = [perYear, block, paths].every((value) => Number.isInteger(value) && value >= 1);
  if (!whole || !(rate > 0 && rate < 1)) {
    throw new RatchetError(
      'drift.plan',
      `a calibration needs whole numbers of values a year, of a block and of paths, and a rate between 0 and 1, not ${perYear}, ${block}, ${paths}, ${rate}`,
    );
  }
  const values = u.filter(Number.isFinite);
  const moments = momentsOf(values);
  const refused = refusal(values.length, block, moments);
  if (refused) return refused;
  const z = values.map((value) => standardised(value, { ...moments, clip: CLIP }));
  const se = standardError(blockMeans(z, block));
  const k = ALLOWANCE + ERRORS_ALLOWED * se;
  const maxima = yearlyMaxima(z, k, { perYear, block, paths, seed }).sort();
  return {
    status: 'calibrated',
    values: values.length,
    ...moments,
    clip: CLIP,
    se,
    k,
    c: quantileOfSorted(maxima, 1 - rate),
    rate,
    perYear,
    block,
    cooldown: COOLDOWN,
    paths,
    seed,
    floor: floor ?? null,
    histogram: histogramOf(maxima),
  };
}

function refusal(
  values: number,
  block: number,
  { mean0, sd0 }: Pick<Calibration, 'mean0' | 'sd0'>,
): CalibrationResult | undefined {
  const refuse = (reason: string, needed: number): CalibrationResult => {
    return { status: 'notCalibrated', values, needed, reason };
  };
  // Two block means at least: else there is no error of the mean.
  const needed = Math.max(MIN_VALUES, 2 * block);
  if (values < needed) {
    return refuse(`there are ${values} settled losses, and ${needed} are needed`, needed);
  }
  return sd0 > ROUNDING * Math.abs(mean0)
    ? undefined
    : refuse('all losses are equal, so nothing can be learnt', needed);
}

function momentsOf(values: Float64Array): Pick<Calibration, 'mean0' | 'sd0'> {
  let mean0 = 0;
  for (const value of values) mean0 += value / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean0) ** 2;
  return { mean0, sd0: Math.sqrt(squares / values.length) };
}

/** Of the mean of the blocks' means (ddof 1). */
function standardError(means: Float64Array): number {
  const { sd0 } = momentsOf(means);
  return sd0 / Math.sqrt(means.length - 1);
}

/** Largest S of each bootstrapped year. */
function yearlyMaxima(
  z: Float64Array,
  k: number,
  plan: Pick<Calibration, 'perYear' | 'block' | 'paths' | 'seed'>,
): Float64Array {
  const uniform = seededUniform(plan.seed);
  const maxima = new Float64Array(plan.paths);
  for (let path = 0; path < plan.paths; path++) {
    let [s, largest] = [0, 0];
    for (let from = 0; from < plan.perYear; from += plan.block) {
      let at = Math.floor(uniform() * z.length);
      const rows = Math.min(plan.block, plan.perYear - from);
      for (let i = 0; i < rows; i++) {
        s = Math.max(0, s + z[at]! - k);
        largest = Math.max(largest, s);
        at = at + 1 === z.length ? 0 : at + 1;
      }
    }
    maxima[path] = largest;
  }
  return maxima;
}

function histogramOf(sorted: Float64Array): Calibration['histogram'] {
  const high = sorted.at(-1)! || 1;
  const counts = Array.from({ length: BINS }, () => 0);
  for (const value of sorted) counts[Math.min(BINS - 1, Math.floor((value / high) * BINS))]!++;
  const edges = Array.from({ length: BINS + 1 }, (_, i) => (i * high) / BINS);
  return { edges, counts };
}
