/**
 * Losses that measure the model and not the market (STATISTICS 4): a squared error in units of the market's variance.
 * A turbulent month doubles squared errors of a model that is as good as ever.
 */
import { TIMEFRAME_MS, type Timeframe } from '../bars/bars.ts';
import { RatchetError } from '../errors.ts';
import { quantileOfSorted } from '../metrics/bootstrap.ts';

export const LAMBDA = 0.94;
/** Forgets half in seven bars: what is known of the variance shortly after. */
const FAST_LAMBDA = 0.9;
/** Bars after a decision whose returns tell how wild the market was when it was taken. */
const SETTLING_BARS = 10;
const FLOOR_SHARE = 0.05;

/**
 * Variance of one bar's log return, known at its close (RiskMetrics 1996).
 * Formula: v[t] = lambda v[t-1] + (1 - lambda) r[t]^2, v[0] = the first finite r^2.
 * Edge: NaN before the first finite return; a return that is not finite leaves the variance as it was.
 */
export function ewmaVariance(returns: Float64Array, lambda: number = LAMBDA): Float64Array {
  const out = new Float64Array(returns.length);
  let variance = NaN;
  for (let t = 0; t < returns.length; t++) {
    const square = returns[t]! ** 2;
    if (Number.isFinite(square)) {
      variance = Number.isNaN(variance) ? square : lambda * variance + (1 - lambda) * square;
    }
    out[t] = variance;
  }
  return out;
}

/**
 * What the losses of decisions at each bar are divided by, per bar: the larger of the variance known at the decision
 * and of a faster one known max(horizon, 10) bars later. The first alone takes weeks to learn that volatility has
 * doubled, and until then a model of equal skill looks worse: 1.7 times the alarms of an unchanged year at h = 1,
 * against 1.4 times with both (docs/drift-simulation.md). Both are known when a loss is judged, which is therefore
 * never before those bars are over. `returns[t]`: log return of bar t; `horizon`: the longest one, in bars.
 * NaN where it is not known yet (the last bars) and before the first return.
 */
export function lossVariance(returns: Float64Array, horizon: number): Float64Array {
  const known = ewmaVariance(returns);
  const fast = ewmaVariance(returns, FAST_LAMBDA);
  const wait = settlingBars(horizon);
  return known.map((v, t) => Math.max(v, fast[t + wait] ?? NaN));
}

/** Bars after which a loss can be judged. */
export const settlingBars = (horizon: number): number => Math.max(horizon, SETTLING_BARS);

/** 5 % of the median variance: what a loss is divided by at least, lest a frozen market make it infinite. 0 of nothing. */
export function varianceFloor(variance: Float64Array): number {
  const sorted = variance.filter(Number.isFinite).sort();
  return sorted.length === 0 ? 0 : FLOOR_SHARE * quantileOfSorted(sorted, 0.5);
}

export interface HorizonLoss {
  /** Bars. */
  readonly horizon: number;
  /** Weight of the horizon; only their proportions count. */
  readonly weight: number;
  /** Squared error of the log return over the horizon, one a decision time; NaN: not settled. */
  readonly loss: Float64Array;
}

/**
 * u[t] = sum_h w_h L_h[t] / (max(v[t], floor) h) / sum_h w_h: 1 for a forecast of zero in a market whose variance is
 * what was expected. NaN where a loss or the variance is unknown. Throws `drift.lengths` on unequal lengths.
 */
export function normalisedLosses({
  losses,
  variance,
  floor,
}: {
  readonly losses: readonly HorizonLoss[];
  /** Of each decision time; see `lossVariance`. */
  readonly variance: Float64Array;
  readonly floor: number;
}): Float64Array {
  const odd = losses.find(({ loss }) => loss.length !== variance.length);
  if (odd) {
    throw new RatchetError(
      'drift.lengths',
      `${odd.loss.length} losses of horizon ${odd.horizon} beside ${variance.length} variances`,
    );
  }
  const weights = losses.reduce((sum, { weight }) => sum + weight, 0);
  return variance.map((v, t) => {
    const unit = v < floor ? floor : v;
    let sum = 0;
    for (const { horizon, weight, loss } of losses) sum += (weight * loss[t]!) / (unit * horizon);
    const u = sum / weights;
    return Number.isFinite(u) ? u : NaN;
  });
}

/** sum_h w_h L_h[t] / sum_h w_h; NaN where a loss is unknown. */
export function weightedLosses(losses: readonly HorizonLoss[]): Float64Array {
  const weights = losses.reduce((sum, { weight }) => sum + weight, 0);
  const rows = losses[0]?.loss.length ?? 0;
  return new Float64Array(rows).map((_, t) => {
    const u = losses.reduce((sum, { weight, loss }) => sum + weight * loss[t]!, 0) / weights;
    return Number.isFinite(u) ? u : NaN;
  });
}

const DAY_MS = TIMEFRAME_MS['1d'];

/**
 * One value a UTC day, the mean of its finite values, at the day's last decision time. Hourly losses of a day say
 * little more than their mean, and a monitor that steps once a day raises no alarm on one bad hour.
 * `times` rise. Days that end after `through` (ms UTC: everything before it is settled) are left out, for they may
 * still change; so are days without a finite value.
 */
export function dailyMeans(
  times: Float64Array,
  values: Float64Array,
  through: number,
): { readonly times: Float64Array; readonly values: Float64Array } {
  const found: { time: number; mean: number }[] = [];
  let [sum, count] = [0, 0];
  for (let i = 0; i < times.length; i++) {
    const day = Math.floor(times[i]! / DAY_MS);
    if ((day + 1) * DAY_MS > through) break;
    if (Number.isFinite(values[i]!)) {
      sum += values[i]!;
      count++;
    }
    const lastOfDay = i + 1 === times.length || Math.floor(times[i + 1]! / DAY_MS) > day;
    if (!lastOfDay) continue;
    if (count > 0) found.push({ time: times[i]!, mean: sum / count });
    [sum, count] = [0, 0];
  }
  return {
    times: Float64Array.from(found, ({ time }) => time),
    values: Float64Array.from(found, ({ mean }) => mean),
  };
}

const HOURS_A_DAY = 24;

/**
 * Values in a block of the bootstrap: max(21, 3 h) daily values; for daily means of hourly losses max(10, 3 days of
 * the horizon). `horizon` is the longest one, in bars.
 */
export function blockOf(horizon: number, timeframe: Timeframe): number {
  if (timeframe === '1d') return Math.max(21, 3 * horizon);
  return Math.max(10, 3 * Math.ceil(horizon / HOURS_A_DAY));
}
