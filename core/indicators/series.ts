import { change, ratioOf } from './arithmetic.ts';
import type { IndicatorInput } from './indicator.ts';
import { kernel, largest, minus, number, over, plus, smallest, zero } from './kernel.ts';
import { naturalLog } from './logarithm.ts';
import { type BarPositions, columnBy } from './positions.ts';

/** Series that most indicators start from, each made once per input. */

const logKernel = kernel(1, 0, ([x]) => naturalLog(x!));

/** ln x. */
export const logOf = (x: Float64Array, positions: BarPositions): Float64Array =>
  positions.share(x, 'log', () => columnBy(positions, logKernel, [x]));

export const logOpen = (input: IndicatorInput): Float64Array => logOf(input.open, input.positions);
export const logHigh = (input: IndicatorInput): Float64Array => logOf(input.high, input.positions);
export const logLow = (input: IndicatorInput): Float64Array => logOf(input.low, input.positions);
export const logClose = (input: IndicatorInput): Float64Array =>
  logOf(input.close, input.positions);

/** ln c[t] - ln c[t-1]; NaN in row 0. */
export const logReturns = (input: IndicatorInput): Float64Array =>
  input.share('logReturns', () => change(logClose(input), 1, input.positions));

/** c[t] - c[t-1]; NaN in row 0. */
export const closeChange = (input: IndicatorInput): Float64Array =>
  input.share('closeChange', () => change(input.close, 1, input.positions));

const typicalKernel = kernel(3, 0, ([h, l, c]) => over(plus(plus(h!, l!), c!), number(3)));

/** (h + l + c) / 3. */
export const typicalPrice = ({
  high,
  low,
  close,
  positions,
  share,
}: IndicatorInput): Float64Array =>
  share('typicalPrice', () => columnBy(positions, typicalKernel, [high, low, close]));

const rangeKernel = kernel(3, 0, ([h, l, before]) =>
  minus(largest(h!, before!), smallest(l!, before!)),
);

/** max(h - l, |h - c[-1]|, |l - c[-1]|); NaN in row 0. */
export const trueRanges = ({ high, low, close, positions, share }: IndicatorInput): Float64Array =>
  share('trueRanges', () => columnBy(positions, rangeKernel, [high, low, [close, 1]], [], 1));

const locationKernel = kernel(3, 0, ([h, l, c]) =>
  ratioOf(minus(minus(plus(c!, c!), h!), l!), minus(h!, l!), zero),
);

/** (2c - h - l) / (h - l), -1..1; 0 where h = l. */
export const closeLocation = ({
  high,
  low,
  close,
  positions,
  share,
}: IndicatorInput): Float64Array =>
  share('closeLocation', () => columnBy(positions, locationKernel, [high, low, close]));
