import { z } from 'zod';
import { product, ratio, squared } from './arithmetic.ts';
import { bodies, gaps, logRanges } from './bar-shape.ts';
import { defineIndicator, type IndicatorInput, use } from './indicator.ts';
import { logClose, logHigh, logLow, logOpen, logReturns } from './series.ts';
import { windowMean, windowSd } from './windows.ts';

const period = z.int().min(2).max(1000);

/** Realised volatility. Formula: sample SD (ddof 1) of one-bar log returns, per bar. */
export const volatility = defineIndicator({
  name: 'volatility',
  docs: 'SD (ddof 1) of log returns over `period` bars',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 5 }, { period: 120 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => windowSd(logReturns(input), n, input.positions, 1),
});

export const volatilityRatio = defineIndicator({
  name: 'volatilityRatio',
  docs: 'volatility(short) / volatility(long) [1]',
  params: z.strictObject({ short: period.default(5), long: period.default(20) }),
  examples: [{ short: 20, long: 120 }],
  warmupBars: ({ short, long }) => Math.max(short, long),
  memoryBars: ({ short, long }) => Math.max(short, long),
  compute: (input, { short, long }) =>
    ratio(
      input.column(use(volatility, { period: short })),
      input.column(use(volatility, { period: long })),
      1,
    ),
});

export const volOfVol = defineIndicator({
  name: 'volOfVol',
  docs: 'SD (ddof 1) / mean over `period` bars of volatility(inner) [0]',
  params: z.strictObject({ period: period.default(20), inner: period.default(5) }),
  examples: [],
  warmupBars: ({ period: n, inner }) => inner + n - 1,
  memoryBars: ({ period: n, inner }) => inner + n - 1,
  compute: (input, { period: n, inner }) => {
    const values = input.column(use(volatility, { period: inner }));
    const sd = windowSd(values, n, input.positions, 1);
    return ratio(sd, windowMean(values, n, input.positions), 0);
  },
});

const rootOf = (x: Float64Array): Float64Array =>
  x.map((value) => Math.sqrt(value < 0 ? 0 : value));

/** ln(h/c) ln(h/o) + ln(l/c) ln(l/o), averaged. */
const rogersSatchell = (input: IndicatorInput, n: number): Float64Array =>
  input.share(`rogers-satchell ${n}`, () => {
    const open = logOpen(input);
    const high = logHigh(input);
    const low = logLow(input);
    const close = logClose(input);
    const terms = new Float64Array(input.rows);
    for (let t = 0; t < terms.length; t++) {
      const h = high[t]!;
      const l = low[t]!;
      terms[t] = (h - close[t]!) * (h - open[t]!) + (l - close[t]!) * (l - open[t]!);
    }
    return windowMean(terms, n, input.positions);
  });

const squaredBodies = (input: IndicatorInput): Float64Array =>
  input.share('squared bodies', () => squared(bodies(input)));
const squaredRanges = (input: IndicatorInput): Float64Array =>
  input.share('squared ranges', () => squared(logRanges(input)));

/** Per-bar variances from open, high, low, close; each estimator by its author's formula. */
const estimators = {
  /** Parkinson (1980): mean ln(h/l)^2 / (4 ln 2). */
  parkinson: (input: IndicatorInput, n: number) =>
    windowMean(squaredRanges(input), n, input.positions).map((mean) => mean / (4 * Math.LN2)),
  /** Garman and Klass (1980): mean of ln(h/l)^2 / 2 - (2 ln 2 - 1) ln(c/o)^2. */
  garmanKlass: (input: IndicatorInput, n: number) => {
    const ranges = squaredRanges(input);
    const terms = squaredBodies(input).map((b, t) => ranges[t]! / 2 - (2 * Math.LN2 - 1) * b);
    return windowMean(terms, n, input.positions);
  },
  /** Rogers and Satchell (1991). */
  rogersSatchell,
  /** Yang and Zhang (2000): gap variance + k body variance + (1 - k) Rogers-Satchell. */
  yangZhang: (input: IndicatorInput, n: number) => {
    const k = 0.34 / (1.34 + (n + 1) / (n - 1));
    const night = windowSd(gaps(input), n, input.positions, 1);
    const day = windowSd(bodies(input), n, input.positions, 1);
    return rogersSatchell(input, n).map(
      (rs, t) => night[t]! ** 2 + k * day[t]! ** 2 + (1 - k) * (rs < 0 ? 0 : rs),
    );
  },
} as const;

export const rangeVolatility = defineIndicator({
  name: 'rangeVolatility',
  docs: 'volatility per bar from open, high, low and close: Parkinson, Garman-Klass, Rogers-Satchell or Yang-Zhang',
  params: z.strictObject({
    estimator: z
      .enum(['parkinson', 'garmanKlass', 'rogersSatchell', 'yangZhang'])
      .default('parkinson'),
    period: period.default(20),
  }),
  examples: [
    { estimator: 'garmanKlass' },
    { estimator: 'rogersSatchell' },
    { estimator: 'yangZhang' },
  ],
  warmupBars: ({ estimator, period: n }) => (estimator === 'yangZhang' ? n : n - 1),
  memoryBars: ({ estimator, period: n }) => (estimator === 'yangZhang' ? n : n - 1),
  compute: (input, { estimator, period: n }) => rootOf(estimators[estimator](input, n)),
});

/** Semi-deviation about 0. Formula: sqrt(mean min(r, 0)^2), or max(r, 0) for the upside. */
export const semiDeviation = defineIndicator({
  name: 'semiDeviation',
  docs: 'sqrt(mean of squared log returns below 0 (down) or above 0 (up)), all bars counted',
  params: z.strictObject({
    period: period.default(20),
    side: z.enum(['down', 'up']).default('down'),
  }),
  examples: [{ side: 'up' }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n, side }) => {
    const returns = logReturns(input);
    const part = returns.map((r) => ((side === 'down' ? r > 0 : r < 0) ? 0 : r));
    return rootOf(windowMean(product(part, part), n, input.positions));
  },
});
