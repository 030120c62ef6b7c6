import { z } from 'zod';

/**
 * The least move that counts, as settings of a label that has classes.
 *
 * Formula: `fixed`: threshold. `volatility`: max(k x sigma x sqrt(h), floor), sigma the SD (ddof 1) of the last `window`
 * log returns between recorded closes, known at the decision. A share of `window` is enough (MIN_SHARE), fewer give none.
 */
export const thresholdFields = (defaults: {
  readonly threshold: number;
  readonly window: number;
  readonly floor: number;
}) => ({
  by: z
    .enum(['volatility', 'fixed'])
    .default('volatility')
    .describe(
      'The least move that counts: a share of the recent volatility, or one fixed return; fixed where `threshold` is given.',
    ),
  k: z
    .number()
    .positive()
    .max(10)
    .default(0.5)
    .describe('by volatility: SDs of the return over the horizon.'),
  window: z
    .int()
    .min(10)
    .max(5000)
    .default(defaults.window)
    .describe('by volatility: log returns that the SD is taken of; 60 % of them are enough.'),
  floor: z
    .number()
    .min(0)
    .max(1)
    .default(defaults.floor)
    .describe('by volatility: the least threshold, such as the costs of a round trip.'),
  threshold: z
    .number()
    .positive()
    .max(1)
    .default(defaults.threshold)
    .describe('by fixed: a return, 0.02 = 2 %; without `by` it means fixed.'),
});

export const thresholdSchema = z.object(thresholdFields({ threshold: 0.01, window: 20, floor: 0 }));
type ThresholdParams = z.output<typeof thresholdSchema>;

/** 100 of 168 hourly returns: below, an SD says little. */
const MIN_SHARE = 0.595;

/** Closes that a threshold looks at. */
export function thresholdBars(params: unknown): number {
  const { by, window } = thresholdSchema.parse(params);
  return by === 'fixed' ? 1 : window + 1;
}

/** See `thresholdFields`; NaN where the closes are too few. */
export function thresholdAfter(params: unknown, close: Float64Array, horizon: number): number {
  const { by, threshold, k, window, floor } = params as ThresholdParams;
  if (by === 'fixed') return threshold;
  const sd = logReturnSd(close, window);
  return Number.isNaN(sd) ? NaN : Math.max(k * sd * Math.sqrt(horizon), floor);
}

/** SD (ddof 1) of the last `window` log returns; two passes, so that the same closes give the same bits. */
function logReturnSd(close: Float64Array, window: number): number {
  const n = Math.min(window, close.length - 1);
  if (n < Math.max(2, Math.floor(MIN_SHARE * window))) return NaN;
  const from = close.length - n;
  let sum = 0;
  for (let i = from; i < close.length; i++) sum += Math.log(close[i]! / close[i - 1]!);
  const mean = sum / n;
  let squares = 0;
  for (let i = from; i < close.length; i++) {
    squares += (Math.log(close[i]! / close[i - 1]!) - mean) ** 2;
  }
  return Math.sqrt(squares / (n - 1));
}
