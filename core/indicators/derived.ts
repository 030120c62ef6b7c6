import { lagged, ratio, ratioOf } from './arithmetic.ts';
import type { IndicatorInput, IndicatorUse } from './indicator.ts';
import { kernel, minus, zero } from './kernel.ts';
import { columnBy } from './positions.ts';
import { windowMax, windowMean, windowMin, windowSd } from './windows.ts';

/** Uses made of another use: its values in other units, at other bars, or over a window of them. */

/** `x / c`: a level of the price in units of the close, so that it means the same at any price. */
export function overClose(of: IndicatorUse): IndicatorUse {
  return {
    ...of,
    docs: `(${of.docs}) / c`,
    key: `overClose(${of.key})`,
    compute: (input) => ratio(input.column(of), input.close, 1, input.positions),
  };
}

/** `x[-bars]`: the value of an earlier bar. */
export function lagOf(of: IndicatorUse, bars: number): IndicatorUse {
  return {
    ...of,
    docs: `${of.docs}; ${bars} bars before`,
    key: `lag(${of.key},${bars})`,
    warmupBars: of.warmupBars + bars,
    memoryBars: of.memoryBars + bars,
    compute: (input) => lagged(input.column(of), bars, input.positions),
  };
}

export const ROLLING_STATISTICS = ['mean', 'sd', 'min', 'max', 'zScore'] as const;
export type RollingStatistic = (typeof ROLLING_STATISTICS)[number];

const scoreKernel = kernel(3, 0, ([x, mean, sd]) => ratioOf(minus(x!, mean!), sd!, zero));

/** Each over the last `n` values; SD with ddof 1. Edge: the z-score of a constant window is 0. */
const statistics: Readonly<
  Record<RollingStatistic, (x: Float64Array, n: number, input: IndicatorInput) => Float64Array>
> = {
  mean: (x, n, { positions }) => windowMean(x, n, positions),
  sd: (x, n, { positions }) => windowSd(x, n, positions, 1),
  min: (x, n, { positions }) => windowMin(x, n, positions),
  max: (x, n, { positions }) => windowMax(x, n, positions),
  zScore: (x, n, { positions }) => {
    const mean = windowMean(x, n, positions);
    const sd = windowSd(x, n, positions, 1);
    return columnBy(positions, scoreKernel, [x, mean, sd]);
  },
};

/** A statistic of the last `period` values. */
export function rolling(
  of: IndicatorUse,
  statistic: RollingStatistic,
  period: number,
): IndicatorUse {
  return {
    ...of,
    docs: `${statistic} over ${period} bars of: ${of.docs}`,
    key: `${statistic}(${of.key},${period})`,
    warmupBars: of.warmupBars + period - 1,
    memoryBars: of.memoryBars + period - 1,
    compute: (input) => statistics[statistic](input.column(of), period, input),
  };
}
