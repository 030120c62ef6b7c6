import { z } from 'zod';
import { lagged } from './arithmetic.ts';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { logReturns } from './series.ts';
import { windowMax, windowMean, windowMin } from './windows.ts';

const period = z.int().min(4).max(1000);

interface MomentSums {
  readonly second: Float64Array;
  readonly third: Float64Array;
  readonly fourth: Float64Array;
}

/** Sums of powers of the deviations of log returns from their window's mean, two passes. */
const momentSums = (input: IndicatorInput, n: number): MomentSums =>
  input.share(`moments ${n}`, () => {
    const x = logReturns(input);
    const second = new Float64Array(input.rows).fill(NaN);
    const third = new Float64Array(input.rows).fill(NaN);
    const fourth = new Float64Array(input.rows).fill(NaN);
    for (let t = n; t < input.rows; t++) {
      const last = x[t]!;
      let sum = 0;
      for (let i = t - n + 1; i <= t; i++) sum += x[i]! - last;
      const mean = last + sum / n;
      let squares = 0;
      let cubes = 0;
      let quarts = 0;
      for (let i = t - n + 1; i <= t; i++) {
        const d = x[i]! - mean;
        const square = d * d;
        squares += square;
        cubes += square * d;
        quarts += square * square;
      }
      second[t] = squares;
      third[t] = cubes;
      fourth[t] = quarts;
    }
    return { second, third, fourth };
  });

/** Sample skewness of log returns, bias-corrected: sqrt(n(n-1))/(n-2) m3/m2^1.5. Edge: 0 if constant. */
export const skewness = defineIndicator({
  name: 'skewness',
  docs: 'bias-corrected skewness of log returns [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 60 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => {
    const { second, third } = momentSums(input, n);
    const correction = (Math.sqrt(n * (n - 1)) / (n - 2)) * Math.sqrt(n);
    const out = new Float64Array(input.rows);
    for (let t = 0; t < out.length; t++) {
      const squares = second[t]!;
      out[t] = squares === 0 ? 0 : (correction * third[t]!) / (squares * Math.sqrt(squares));
    }
    return out;
  },
});

/** Sample excess kurtosis of log returns, bias-corrected (G2). Edge: 0 if constant. */
export const kurtosis = defineIndicator({
  name: 'kurtosis',
  docs: 'bias-corrected excess kurtosis of log returns [0]',
  params: z.strictObject({ period: period.default(60) }),
  examples: [{ period: 20 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => {
    const { second, fourth } = momentSums(input, n);
    const factor = (n - 1) / ((n - 2) * (n - 3));
    const out = new Float64Array(input.rows);
    for (let t = 0; t < out.length; t++) {
      const squares = second[t]!;
      const excess = ((n + 1) * n * fourth[t]!) / (squares * squares) - 3 * (n - 1);
      out[t] = squares === 0 ? 0 : factor * excess;
    }
    return out;
  },
});

/**
 * Pearson correlation of two series over the last `n` rows, two passes about the means.
 * Rows before `from` are NaN. Edge: 0 where one of them is constant.
 */
export function windowCorrelation(
  x: Float64Array,
  y: Float64Array,
  n: number,
  from: number,
): Float64Array {
  const out = new Float64Array(x.length).fill(NaN);
  for (let t = from; t < out.length; t++) {
    const x0 = x[t]!;
    const y0 = y[t]!;
    let sumX = 0;
    let sumY = 0;
    for (let i = t - n + 1; i <= t; i++) {
      sumX += x[i]! - x0;
      sumY += y[i]! - y0;
    }
    const meanX = x0 + sumX / n;
    const meanY = y0 + sumY / n;
    let xx = 0;
    let yy = 0;
    let xy = 0;
    for (let i = t - n + 1; i <= t; i++) {
      const dx = x[i]! - meanX;
      const dy = y[i]! - meanY;
      xx += dx * dx;
      yy += dy * dy;
      xy += dx * dy;
    }
    const size = Math.sqrt(xx * yy);
    out[t] = size === 0 ? 0 : xy / size;
  }
  return out;
}

export const autocorrelation = defineIndicator({
  name: 'autocorrelation',
  docs: 'correlation of log returns with those one bar before, over `period` pairs [0]',
  params: z.strictObject({ period: period.default(20) }),
  examples: [{ period: 60 }],
  warmupBars: ({ period: n }) => n + 1,
  memoryBars: ({ period: n }) => n + 1,
  compute: (input, { period: n }) => {
    const returns = logReturns(input);
    return windowCorrelation(returns, lagged(returns, 1), n, n + 1);
  },
});

export const upShare = defineIndicator({
  name: 'upShare',
  docs: 'share of bars whose log return is above 0',
  params: z.strictObject({ period: z.int().min(1).default(20) }),
  examples: [{ period: 10 }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n }) => {
    const up = input.share('up bars', () =>
      logReturns(input).map((r) => (Number.isNaN(r) ? NaN : Number(r > 0))),
    );
    return windowMean(up, n, input.positions);
  },
});

export const extremeReturn = defineIndicator({
  name: 'extremeReturn',
  docs: 'largest (max) or smallest (min) log return',
  params: z.strictObject({
    period: z.int().min(1).default(20),
    of: z.enum(['max', 'min']).default('max'),
  }),
  examples: [{ of: 'min' }],
  warmupBars: ({ period: n }) => n,
  memoryBars: ({ period: n }) => n,
  compute: (input, { period: n, of }) =>
    (of === 'max' ? windowMax : windowMin)(logReturns(input), n, input.positions),
});
