import { z } from 'zod';
import { change, product, ratio } from './arithmetic.ts';
import { windowCorrelation } from './distribution.ts';
import { defineIndicator, type IndicatorInput, use } from './indicator.ts';
import { sma } from './moving-average.ts';
import { closeChange, closeLocation, logReturns, typicalPrice } from './series.ts';
import { windowMean, windowSd, windowSum } from './windows.ts';

const period = z.int().min(2).max(1000);

const volumeMean = (input: IndicatorInput, n: number): Float64Array =>
  input.column(use(sma, { period: n, of: 'volume' }));
const volumeSum = (input: IndicatorInput, n: number): Float64Array =>
  input.share(`volume sum ${n}`, () => windowSum(input.volume, n, input.positions));
const volumeSd = (input: IndicatorInput, n: number): Float64Array =>
  input.share(`volume sd ${n}`, () => windowSd(input.volume, n, input.positions, 1));

export const volumeToSma = defineIndicator({
  name: 'volumeToSma',
  docs: 'ln(1 + v / sma(v)) [v / sma = 1]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 5 }],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) => {
    const out = ratio(input.volume, volumeMean(input, n), 1);
    for (let t = 0; t < out.length; t++) out[t] = Math.log1p(out[t]!);
    return out;
  },
});

/** Change of the volume. Formula: v / v[-1] - 1, at most 10. Edge: 0 after a bar without volume. */
export const volumeChange = defineIndicator({
  name: 'volumeChange',
  docs: 'v / v[-1] - 1, clipped to -1..10 [0]',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 1,
  memoryBars: () => 1,
  compute: ({ rows, volume }) => {
    const out = new Float64Array(rows).fill(NaN, 0, Math.min(1, rows));
    for (let t = 1; t < rows; t++) {
      const before = volume[t - 1]!;
      // Math.min keeps NaN; a volume is never below 0, hence no lower clip.
      out[t] = before === 0 ? 0 : Math.min(10, volume[t]! / before - 1);
    }
    return out;
  },
});

const tradedMean = (input: IndicatorInput, of: 'volume' | 'value', n: number): Float64Array =>
  of === 'volume'
    ? volumeMean(input, n)
    : input.share(`value mean ${n}`, () => windowMean(input.value, n, input.positions));

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
    return ratio(above, tradedMean(input, of, n), 1);
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
    ratio(volumeMean(input, short), volumeMean(input, long), 1).map((value) => value - 1),
});

export const volumeVariation = defineIndicator({
  name: 'volumeVariation',
  docs: 'SD (ddof 1) / mean of the volume [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) => ratio(volumeSd(input, n), volumeMean(input, n), 0),
});

export const volumeZ = defineIndicator({
  name: 'volumeZ',
  docs: '(v - mean) / SD (ddof 1) of the volume [0]',
  params: z.strictObject({ period: period.default(60) }),
  examples: [],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) => {
    const mean = volumeMean(input, n);
    const excess = input.volume.map((v, t) => v - mean[t]!);
    return ratio(excess, volumeSd(input, n), 0);
  },
});

const signedVolume = (input: IndicatorInput): Float64Array =>
  input.share('signed volume', () =>
    closeChange(input).map((move, t) => Math.sign(move) * input.volume[t]!),
  );

/** On-balance volume over a window: a flow, not a sum since the first bar. */
export const obvFlow = defineIndicator({
  name: 'obvFlow',
  docs: 'sum of sign(c - c[-1]) v / sum v [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 60 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) =>
    ratio(windowSum(signedVolume(input), n, input.positions), volumeSum(input, n), 0),
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
    const flow = input.share('money flow', () => product(closeLocation(input), input.volume));
    return ratio(windowSum(flow, n, input.positions), volumeSum(input, n), 0);
  },
});

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
    const moves = change(typicalPrice(input), 1);
    const money = product(typicalPrice(input), input.volume);
    const rising = moves.map((move, t) => (move <= 0 ? 0 : move > 0 ? money[t]! : NaN));
    const falling = moves.map((move, t) => (move >= 0 ? 0 : move < 0 ? money[t]! : NaN));
    const up = windowSum(rising, n, input.positions);
    const down = windowSum(falling, n, input.positions);
    return up.map((value, t) => (value + down[t]! === 0 ? 0.5 : value / (value + down[t]!)));
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
    const forces = product(logReturns(input), input.volume);
    return ratio(windowSum(forces, n, input.positions), volumeSum(input, n), 0);
  },
});

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
    const returns = logReturns(input);
    if (of === 'size') return windowCorrelation(returns.map(Math.abs), input.volume, n, n);
    return windowCorrelation(returns, change(input.volume.map(Math.log1p), 1), n, n);
  },
});

/** Distance to the volume-weighted average price. Formula: c / (sum tp v / sum v) - 1. */
export const closeToVwap = defineIndicator({
  name: 'closeToVwap',
  docs: 'c / (sum of (h + l + c) / 3 v / sum v) - 1 [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [],
  warmupBars: ({ period: n }) => n - 1,
  memoryBars: ({ period: n }) => n - 1,
  compute: (input, { period: n }) => {
    const traded = windowSum(product(typicalPrice(input), input.volume), n, input.positions);
    const volume = volumeSum(input, n);
    return input.close.map((c, t) => (volume[t] === 0 ? 0 : (c * volume[t]!) / traded[t]! - 1));
  },
});
