import { z } from 'zod';
import { gainsOf, lossesOf, product, ratio, rootOf, scaled } from './arithmetic.ts';
import { bodies, gaps, logRanges } from './bar-shape.ts';
import { defineIndicator, type IndicatorInput, use } from './indicator.ts';
import { half, kernel, largest, minus, number, plus, root, times, zero } from './kernel.ts';
import { type BarPositions, columnBy } from './positions.ts';
import { logClose, logHigh, logLow, logOpen, logReturns } from './series.ts';
import { windowMean, windowSd, windowSquares } from './windows.ts';

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
      input.positions,
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
    return ratio(sd, windowMean(values, n, input.positions), 0, input.positions);
  },
});

const gainRootKernel = kernel(1, 0, ([x]) => root(largest(zero, x!)));

/** Root of what rounding may leave just below 0. */
const gainRoot = (x: Float64Array, positions: BarPositions): Float64Array =>
  columnBy(positions, gainRootKernel, [x]);

const rogersSatchellKernel = kernel(4, 0, ([o, h, l, c]) =>
  plus(times(minus(h!, c!), minus(h!, o!)), times(minus(l!, c!), minus(l!, o!))),
);

/** ln(h/c) ln(h/o) + ln(l/c) ln(l/o), averaged. */
const rogersSatchell = (input: IndicatorInput, n: number): Float64Array => {
  const logs = [logOpen(input), logHigh(input), logLow(input), logClose(input)];
  const terms = input.share('rogers-satchell', () =>
    columnBy(input.positions, rogersSatchellKernel, logs),
  );
  return windowMean(terms, n, input.positions);
};

const squaredBodies = (input: IndicatorInput): Float64Array =>
  input.share('squared bodies', () => product(bodies(input), bodies(input), input.positions));
const squaredRanges = (input: IndicatorInput): Float64Array =>
  input.share('squared ranges', () => product(logRanges(input), logRanges(input), input.positions));

const garmanKlassKernel = kernel(2, 0, ([range, body]) =>
  minus(times(range!, half), times(body!, number(2 * Math.LN2 - 1))),
);

const yangZhangKernel = kernel(3, 3, ([night, day, drift], [share, ofDay, ofDrift]) => {
  const variances = times(plus(night!, times(day!, ofDay!)), share!);
  return plus(variances, times(largest(zero, drift!), ofDrift!));
});

/** Per-bar variances from open, high, low, close; each estimator by its author's formula. */
const estimators = {
  /** Parkinson (1980): mean ln(h/l)^2 / (4 ln 2). */
  parkinson: (input: IndicatorInput, n: number) => {
    const mean = windowMean(squaredRanges(input), n, input.positions);
    return scaled(mean, 1 / (4 * Math.LN2), 0, input.positions);
  },
  /** Garman and Klass (1980): mean of ln(h/l)^2 / 2 - (2 ln 2 - 1) ln(c/o)^2. */
  garmanKlass: (input: IndicatorInput, n: number) => {
    const columns = [squaredRanges(input), squaredBodies(input)];
    const terms = input.share('garman-klass', () =>
      columnBy(input.positions, garmanKlassKernel, columns),
    );
    return windowMean(terms, n, input.positions);
  },
  /** Rogers and Satchell (1991). */
  rogersSatchell,
  /** Yang and Zhang (2000): gap variance + k body variance + (1 - k) Rogers-Satchell. */
  yangZhang: (input: IndicatorInput, n: number) => {
    const k = 0.34 / (1.34 + (n + 1) / (n - 1));
    const night = windowSquares(gaps(input), n, input.positions);
    const day = windowSquares(bodies(input), n, input.positions);
    const columns = [night, day, rogersSatchell(input, n)];
    return columnBy(input.positions, yangZhangKernel, columns, [1 / (n - 1), k, 1 - k]);
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
  compute: (input, { estimator, period: n }) =>
    gainRoot(estimators[estimator](input, n), input.positions),
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
    const { positions } = input;
    const part = (side === 'down' ? lossesOf : gainsOf)(logReturns(input), positions);
    return rootOf(windowMean(product(part, part, positions), n, positions), 1, positions);
  },
});
