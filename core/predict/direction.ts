import { directionOf as signOf } from '../metrics/direction.ts';
import type { Direction } from './answer.ts';

/** Class of a simple return, by the neutral zone that reports use: strictly beyond it is up or down. */
export function directionOf(change: number): Direction {
  const sign = signOf(change);
  return sign > 0 ? 'up' : sign < 0 ? 'down' : 'neutral';
}

export const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value));

/** Population standard deviation. */
function populationSd(values: readonly number[]): number {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
}

/**
 * How much the horizons agree, in (0, 1].
 *
 * Formula: 0.5 x (largest share of horizons in one direction class) + 0.5 x exp(-SD_pop(z)), with
 * z_h = r_h / (vol_20 sqrt(h)). `changes` are simple returns by horizon, `volatility` the SD (ddof 1) of
 * the last 20 log returns.
 * Edge: one horizon gives 1; a return that is not finite, or no volatility, gives 0.
 */
export function consistencyScore(
  changes: readonly number[],
  horizons: readonly number[],
  volatility: number | undefined,
): number {
  if (!changes.every(Number.isFinite)) return 0;
  if (changes.length === 1) return 1;
  const z = changes.map((change, k) => change / ((volatility ?? 0) * Math.sqrt(horizons[k]!)));
  if (!z.every(Number.isFinite)) return 0;
  const classes = changes.map(directionOf);
  const shares = classes.map((c) => classes.filter((other) => other === c).length);
  return 0.5 * (Math.max(...shares) / classes.length) + 0.5 * Math.exp(-populationSd(z));
}

const VOLATILITY_BARS = 20;

/** SD (ddof 1) of the last 20 log returns; undefined with fewer bars. */
export function volatility20(close: Float64Array): number | undefined {
  if (close.length < VOLATILITY_BARS + 1) return undefined;
  const tail = close.subarray(close.length - VOLATILITY_BARS - 1);
  const returns = Array.from({ length: VOLATILITY_BARS }, (_, i) =>
    Math.log(tail[i + 1]! / tail[i]!),
  );
  return populationSd(returns) * Math.sqrt(VOLATILITY_BARS / (VOLATILITY_BARS - 1));
}
