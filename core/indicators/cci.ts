import { z } from 'zod';
import { defineIndicator } from './indicator.ts';
import {
  before,
  type ColumnTerm,
  isEqual,
  kernel,
  type Kernel,
  minus,
  over,
  plus,
  size,
  type Term,
  times,
  where,
  number,
  zero,
} from './kernel.ts';
import { type BarPositions, columnBy, columnOf } from './positions.ts';
import { typicalPrice } from './series.ts';
import { windowMean } from './windows.ts';

/**
 * Commodity channel index (Lambert, 1980), / 100.
 * Formula: (tp - mean tp) / (0.015 * mean |tp - mean tp|), tp = (h + l + c) / 3.
 * Edge: 0 where all typical prices of the window are equal.
 */
export const cci = defineIndicator({
  name: 'cci',
  docs: 'commodity channel index / 100: (tp - mean) / (0.015 mean absolute deviation) [0]',
  params: z.strictObject({ period: z.int().min(2).default(14) }),
  examples: [{ period: 20 }],
  warmupBars: ({ period }) => period - 1,
  memoryBars: ({ period }) => period - 1,
  compute: (input, { period }) => {
    const price = typicalPrice(input);
    const { positions } = input;
    const mean = windowMean(price, period, positions);
    return period <= COMPILED_MAX
      ? columnBy(positions, compiled(period), [price, mean], [period], period - 1)
      : oneByOne(price, mean, period, positions);
  },
});

/** Longer windows are too long a formula. */
const COMPILED_MAX = 128;

const kernels = new Map<number, Kernel>();

function compiled(period: number): Kernel {
  let found = kernels.get(period);
  if (found === undefined) {
    found = kernel(2, 1, ([price, mean], [n]) => {
      const deviation = deviationsOf(price!, mean!, period);
      const usual = over(times(deviation, number(1.5)), n!);
      // The mean of equal prices is exactly that price.
      return where(isEqual(deviation, zero), zero, over(minus(price!, mean!), usual));
    });
    kernels.set(period, found);
  }
  return found;
}

/** Sum of |x - middle| over the newest `n` rows, in the order of `deviations`. */
function deviationsOf(x: ColumnTerm, middle: Term, n: number): Term {
  const sums: Term[] = [zero, zero, zero, zero];
  for (let i = 0; i < n; i++) {
    const place = i < n - (n % 4) ? i % 4 : 0;
    sums[place] = plus(sums[place]!, size(minus(before(x, n - 1 - i), middle)));
  }
  return plus(plus(sums[0]!, sums[1]!), plus(sums[2]!, sums[3]!));
}

const oneByOne = (
  price: Float64Array,
  mean: Float64Array,
  period: number,
  positions: BarPositions,
): Float64Array =>
  columnOf(
    positions,
    [mean, price, period],
    (out, [mean, price, period], from, to) => {
      for (let t = from; t < to; t++) {
        const middle = mean[t]!;
        const deviation = deviations(price, middle, t - period + 1, t);
        out[t] = deviation === 0 ? 0 : (price[t]! - middle) / ((1.5 * deviation) / period);
      }
    },
    period - 1,
  );

/** Sum of |x - middle| over the rows `first`..`last`; in four sums, which do not wait for each other. */
function deviations(x: Float64Array, middle: number, first: number, last: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = first;
  for (; i + 3 <= last; i += 4) {
    a += Math.abs(x[i]! - middle);
    b += Math.abs(x[i + 1]! - middle);
    c += Math.abs(x[i + 2]! - middle);
    d += Math.abs(x[i + 3]! - middle);
  }
  for (; i <= last; i++) a += Math.abs(x[i]! - middle);
  return a + b + (c + d);
}
