import { z } from 'zod';
import { ratio, ratioOf } from './arithmetic.ts';
import { defineIndicator, type IndicatorInput, use } from './indicator.ts';
import { half, kernel, minus, number, over, plus, times, zero } from './kernel.ts';
import { ema, sma } from './moving-average.ts';
import { columnBy } from './positions.ts';
import { emaMemory, wilderColumn, wilderMemory } from './recursions.ts';
import { trueRanges } from './series.ts';
import { windowSd } from './windows.ts';

const positionKernel = kernel(3, 0, ([close, middle, sd]) => {
  const twoSd = plus(sd!, sd!);
  return ratioOf(plus(minus(close!, middle!), twoSd), plus(twoSd, twoSd), half);
});
const widthKernel = kernel(2, 0, ([middle, sd]) => over(times(sd!, number(4)), middle!));
const bandKernel = kernel(2, 1, ([middle, sd], [sds]) => plus(middle!, times(sd!, sds!)));

/**
 * Bollinger bands: sma +- 2 population SD of the close.
 * Formula: position (c - lower) / (upper - lower), not clipped; width (upper - lower) / sma; the bands
 * themselves in units of price.
 * Edge: position 0.5 where the SD is 0.
 */
export const bollinger = defineIndicator({
  name: 'bollinger',
  docs: 'bands sma +- 2 SD (ddof 0): position of c between them [0.5], width / sma, or a band',
  params: z.strictObject({
    period: z.int().min(2).default(20),
    output: z.enum(['position', 'width', 'upper', 'middle', 'lower']).default('position'),
  }),
  examples: [{ period: 50 }, { output: 'width' }, { output: 'upper' }, { output: 'lower' }],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: (input, { period, output }) => {
    const { positions, close } = input;
    const middle = input.column(use(sma, { period }));
    const sd = windowSd(close, period, positions, 0);
    if (output === 'middle') return middle;
    if (output === 'position') return columnBy(positions, positionKernel, [close, middle, sd]);
    if (output === 'width') return columnBy(positions, widthKernel, [middle, sd]);
    return columnBy(positions, bandKernel, [middle, sd], [output === 'upper' ? 2 : -2]);
  },
});

const atrValues = (input: IndicatorInput, period: number): Float64Array =>
  input.share(`atr ${period}`, () => wilderColumn(trueRanges(input), period, input.positions));

/** Average true range (Wilder, 1978), in units of price. Formula: Wilder average of the true range. */
export const atr = defineIndicator({
  name: 'atr',
  docs: 'Wilder average of the true range',
  params: z.strictObject({ period: z.int().min(1).default(14) }),
  examples: [{ period: 7 }],
  recursive: true,
  warmupBars: ({ period }) => period,
  memoryBars: ({ period }) => wilderMemory(period),
  compute: (input, { period }) => atrValues(input, period),
});

/** Average true range (Wilder, 1978) over the close. Formula: Wilder average of the true range / c. */
export const atrRatio = defineIndicator({
  name: 'atrRatio',
  docs: 'Wilder average of the true range / c',
  params: z.strictObject({ period: z.int().min(1).default(14) }),
  examples: [{ period: 7 }],
  recursive: true,
  warmupBars: ({ period }) => period,
  memoryBars: ({ period }) => wilderMemory(period),
  compute: (input, { period }) => ratio(atrValues(input, period), input.close, 0, input.positions),
});

const keltnerKernel = kernel(3, 0, ([close, middle, range]) =>
  ratioOf(minus(close!, middle!), plus(range!, range!), zero),
);

/** Keltner channel position. Formula: (c - ema) / (2 ATR). Edge: 0 where the ATR is 0. */
export const keltner = defineIndicator({
  name: 'keltner',
  docs: '(c - ema(period)) / (2 ATR(atrPeriod)) [0]',
  params: z.strictObject({
    period: z.int().min(1).default(20),
    atrPeriod: z.int().min(1).default(10),
  }),
  examples: [],
  recursive: true,
  warmupBars: ({ period, atrPeriod }) => Math.max(period - 1, atrPeriod),
  memoryBars: ({ period, atrPeriod }) => Math.max(emaMemory(period), wilderMemory(atrPeriod)),
  compute: (input, { period, atrPeriod }) =>
    columnBy(input.positions, keltnerKernel, [
      input.close,
      input.column(use(ema, { period })),
      atrValues(input, atrPeriod),
    ]),
});
