import { change } from './arithmetic.ts';
import type { IndicatorInput } from './indicator.ts';

/** Series that most indicators start from, each made once per input. */

const logOf = (x: Float64Array): Float64Array => {
  const out = new Float64Array(x.length);
  for (let t = 0; t < out.length; t++) out[t] = Math.log(x[t]!);
  return out;
};

export const logOpen = (input: IndicatorInput): Float64Array =>
  input.share('logOpen', () => logOf(input.open));
export const logHigh = (input: IndicatorInput): Float64Array =>
  input.share('logHigh', () => logOf(input.high));
export const logLow = (input: IndicatorInput): Float64Array =>
  input.share('logLow', () => logOf(input.low));
export const logClose = (input: IndicatorInput): Float64Array =>
  input.share('logClose', () => logOf(input.close));

/** ln c[t] - ln c[t-1]; NaN in row 0. */
export const logReturns = (input: IndicatorInput): Float64Array =>
  input.share('logReturns', () => change(logClose(input), 1));

/** c[t] - c[t-1]; NaN in row 0. */
export const closeChange = (input: IndicatorInput): Float64Array =>
  input.share('closeChange', () => change(input.close, 1));

/** (h + l + c) / 3. */
export const typicalPrice = (input: IndicatorInput): Float64Array =>
  input.share('typicalPrice', () => {
    const out = new Float64Array(input.rows);
    for (let t = 0; t < out.length; t++) {
      out[t] = (input.high[t]! + input.low[t]! + input.close[t]!) / 3;
    }
    return out;
  });

/** max(h - l, |h - c[-1]|, |l - c[-1]|); NaN in row 0. */
export const trueRanges = (input: IndicatorInput): Float64Array =>
  input.share('trueRanges', () => {
    const out = new Float64Array(input.rows).fill(NaN, 0, Math.min(1, input.rows));
    for (let t = 1; t < out.length; t++) {
      const high = input.high[t]!;
      const low = input.low[t]!;
      const previous = input.close[t - 1]!;
      out[t] = Math.max(high - low, Math.abs(high - previous), Math.abs(low - previous));
    }
    return out;
  });

/** (2c - h - l) / (h - l), -1..1; 0 where h = l. */
export const closeLocation = (input: IndicatorInput): Float64Array =>
  input.share('closeLocation', () => {
    const out = new Float64Array(input.rows);
    for (let t = 0; t < out.length; t++) {
      const range = input.high[t]! - input.low[t]!;
      out[t] = range === 0 ? 0 : (2 * input.close[t]! - input.high[t]! - input.low[t]!) / range;
    }
    return out;
  });
