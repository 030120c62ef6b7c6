import { z } from 'zod';
import {
  change,
  difference,
  gainsOf,
  lossesOf,
  product,
  ratio,
  ratioOf,
  scaled,
  signOf,
  signsOf,
  sizesOf,
} from './arithmetic.ts';
import { windowCorrelation } from './distribution.ts';
import { defineIndicator, type IndicatorInput, use } from './indicator.ts';
import { sma } from './moving-average.ts';
import {
  half,
  isEqual,
  kernel,
  minus,
  number,
  one,
  over,
  plus,
  smallest,
  times,
  where,
  zero,
} from './kernel.ts';
import { logOnePlus } from './logarithm.ts';
import { columnBy } from './positions.ts';
import { closeChange, closeLocation, logReturns, typicalPrice } from './series.ts';
import { windowMean, windowSd, windowSum } from './windows.ts';

const period = z.int().min(2).max(1000);

const volumeMean = (input: IndicatorInput, n: number): Float64Array =>
  input.column(use(sma, { period: n, of: 'volume' }));
const volumeSum = (input: IndicatorInput, n: number): Float64Array =>
  windowSum(input.volume, n, input.positions);
const volumeSd = (input: IndicatorInput, n: number): Float64Array =>
  windowSd(input.volume, n, input.positions, 1);

/** Sum of x over the last `n` bars / that of the volume. */
const overVolume = (x: Float64Array, n: number, input: IndicatorInput): Float64Array =>
  ratio(windowSum(x, n, input.positions), volumeSum(input, n), 0, input.positions);

const volumeToMeanKernel = kernel(2, 0, ([v, mean]) => logOnePlus(ratioOf(v!, mean!, one)));

export const volumeToSma = defineIndicator({
  name: 'volumeToSma',
  docs: 'ln(1 + v / sma(v)) [v / sma = 1]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 5 }],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) => {
    const { volume, positions } = input;
    const mean = volumeMean(input, n);
    return columnBy(positions, volumeToMeanKernel, [volume, mean]);
  },
});

const volumeChangeKernel = kernel(2, 0, ([v, before]) =>
  where(isEqual(before!, zero), zero, smallest(number(10), minus(over(v!, before!), one))),
);

/** Change of the volume. Formula: v / v[-1] - 1, at most 10. Edge: 0 after a bar without volume. */
export const volumeChange = defineIndicator({
  name: 'volumeChange',
  docs: 'v / v[-1] - 1, clipped to -1..10 [0]',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 1,
  memoryBars: () => 1,
  compute: ({ positions, volume }) =>
    columnBy(positions, volumeChangeKernel, [volume, [volume, 1]], [], 1),
});

const tradedMean = (input: IndicatorInput, of: 'volume' | 'value', n: number): Float64Array =>
  windowMean(input[of], n, input.positions);

/** What was traded against its mean. Formula: x / sma(x), or sma(x, smooth) / sma(x). */
export const tradedRatio = defineIndicator({
  name: 'tradedRatio',
  docs: 'volume (or value) / its sma over `period`; with `smooth`: its sma over `smooth` / the longer one [1]',
  params: z.strictObject({
    of: z.enum(['volume', 'value']).default('volume'),
    period: period.default(20),
    smooth: period.exactOptional(),
  }),
  examples: [
    { of: 'value', period: 250 },
    { smooth: 20, period: 250 },
  ],
  warmupBars: ({ period: n, smooth = 0 }) => Math.max(n, smooth) - 1,
  memoryBars: ({ period: n, smooth = 0 }) => Math.max(n, smooth) - 1,
  compute: (input, { of, period: n, smooth }) => {
    const above = smooth === undefined ? input[of] : tradedMean(input, of, smooth);
    return ratio(above, tradedMean(input, of, n), 1, input.positions);
  },
});

export const volumeSpread = defineIndicator({
  name: 'volumeSpread',
  docs: 'sma(v, short) / sma(v, long) - 1 [0]',
  params: z.strictObject({ short: period.default(5), long: period.default(20) }),
  examples: [],
  warmupBars: ({ short, long }) => Math.max(short, long) - 1,
  memoryBars: ({ short, long }) => Math.max(short, long) - 1,
  compute: (input, { short, long }) =>
    scaled(
      ratio(volumeMean(input, short), volumeMean(input, long), 1, input.positions),
      1,
      -1,
      input.positions,
    ),
});

export const volumeVariation = defineIndicator({
  name: 'volumeVariation',
  docs: 'SD (ddof 1) / mean of the volume [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) =>
    ratio(volumeSd(input, n), volumeMean(input, n), 0, input.positions),
});

export const volumeZ = defineIndicator({
  name: 'volumeZ',
  docs: '(v - mean) / SD (ddof 1) of the volume [0]',
  params: z.strictObject({ period: period.default(60) }),
  examples: [],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) =>
    ratio(
      difference(input.volume, volumeMean(input, n), input.positions),
      volumeSd(input, n),
      0,
      input.positions,
    ),
});

const signedVolume = (input: IndicatorInput): Float64Array =>
  input.share('signed volume', () =>
    product(signsOf(closeChange(input), input.positions), input.volume, input.positions),
  );

const tradedMoney = (input: IndicatorInput): Float64Array =>
  input.share('traded money', () => product(typicalPrice(input), input.volume, input.positions));

/** On-balance volume over a window: a flow, not a sum since the first bar. */
export const obvFlow = defineIndicator({
  name: 'obvFlow',
  docs: 'sum of sign(c - c[-1]) v / sum v [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 60 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => overVolume(signedVolume(input), n, input),
});

/**
 * On-balance volume (Granville, 1963) gained over some bars, in units of volume: OBV - OBV[-period].
 * The sum since the first bar depends on where a history begins, so it could not be the same in serving.
 */
export const obvChange = defineIndicator({
  name: 'obvChange',
  docs: 'sum of sign(c - c[-1]) v over `period` bars: the on-balance volume gained in them',
  params: z.strictObject({ period: period.default(250) }),
  examples: [{ period: 20 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => windowSum(signedVolume(input), n, input.positions),
});

/** Chaikin money flow, -1..1. Formula: sum of close location x v / sum v. */
export const moneyFlow = defineIndicator({
  name: 'moneyFlow',
  docs: 'Chaikin money flow: sum of (2c - h - l) / (h - l) v / sum v [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 60 }],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) => {
    const flow = input.share('money flow', () =>
      product(closeLocation(input), input.volume, input.positions),
    );
    return overVolume(flow, n, input);
  },
});

const flowKernel = kernel(3, 0, ([price, before, money]) =>
  times(signOf(minus(price!, before!)), money!),
);
const shareKernel = kernel(2, 0, ([up, down]) => ratioOf(up!, plus(up!, down!), half));

/**
 * Money flow index (Quong and Soudack), 0..1. Formula: P / (P + N), the sums of tp x v on bars whose
 * typical price rose and fell. Edge: 0.5 where neither did (TA-Lib says 0).
 */
export const moneyFlowIndex = defineIndicator({
  name: 'moneyFlowIndex',
  docs: 'rising money flow / (rising + falling), money flow = (h + l + c) / 3 v [0.5]',
  params: z.strictObject({ period: period.default(14) }),
  examples: [],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => {
    const { positions } = input;
    const price = typicalPrice(input);
    const flow = columnBy(positions, flowKernel, [price, [price, 1], tradedMoney(input)], [], 1);
    const up = windowSum(gainsOf(flow, positions), n, positions);
    const down = windowSum(lossesOf(flow, positions), n, positions);
    return columnBy(positions, shareKernel, [up, down]);
  },
});

/** Force index (Elder) as an average. Formula: sum of r v / sum v. */
export const force = defineIndicator({
  name: 'force',
  docs: 'sum of log return x v / sum v [0]',
  params: z.strictObject({ period: period.default(13) }),
  examples: [],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => {
    const forces = product(logReturns(input), input.volume, input.positions);
    return overVolume(forces, n, input);
  },
});

const logOnePlusKernel = kernel(1, 0, ([x]) => logOnePlus(x!));

export const volumeCorrelation = defineIndicator({
  name: 'volumeCorrelation',
  docs: 'correlation of |r| with v (size), or of r with the change of ln(1 + v) (change) [0]',
  params: z.strictObject({
    period: period.default(20),
    of: z.enum(['size', 'change']).default('size'),
  }),
  examples: [{ of: 'change' }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n, of }) => {
    const { volume, positions } = input;
    const returns = logReturns(input);
    if (of === 'size') {
      return windowCorrelation(sizesOf(returns, positions), volume, n, positions);
    }
    const logs = columnBy(positions, logOnePlusKernel, [volume]);
    return windowCorrelation(returns, change(logs, 1, positions), n, positions);
  },
});

const vwapKernel = kernel(3, 0, ([c, volume, traded]) =>
  where(isEqual(volume!, zero), zero, minus(over(times(c!, volume!), traded!), one)),
);

/** Distance to the volume-weighted average price. Formula: c / (sum tp v / sum v) - 1. */
export const closeToVwap = defineIndicator({
  name: 'closeToVwap',
  docs: 'c / (sum of (h + l + c) / 3 v / sum v) - 1 [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) => {
    const { close, positions } = input;
    const traded = windowSum(tradedMoney(input), n, positions);
    return columnBy(positions, vwapKernel, [close, volumeSum(input, n), traded]);
  },
});
