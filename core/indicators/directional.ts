import { z } from 'zod';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { eachRun } from './positions.ts';
import { trueRanges } from './series.ts';

/** Two nested smoothings: the start decays as m e^(-m / n). */
const memory = (period: number): number => 16 * period;

interface Directional {
  readonly plus: Float64Array;
  readonly minus: Float64Array;
  readonly adx: Float64Array;
}

/**
 * Directional movement (Wilder, 1978), all 0..1.
 * Formula: +DM = dh where dh > -dl and dh > 0, -DM likewise; sums S <- S - S / n + value of +DM, -DM and
 * true range; +DI = S(+DM) / S(TR); DX = |+DI - -DI| / (+DI + -DI); ADX = Wilder mean of DX.
 * Reference: TA-Lib, whose sums begin with n - 1 values. Edge: 0 where a denominator is 0.
 */
function directionalOf(input: IndicatorInput, period: number): Directional {
  return input.share(`directional ${period}`, () => {
    const { high, low, rows } = input;
    const range = trueRanges(input);
    const plus = new Float64Array(rows).fill(NaN);
    const minus = new Float64Array(rows).fill(NaN);
    const adx = new Float64Array(rows).fill(NaN);
    const keep = 1 - 1 / period;
    eachRun(input.positions, memory(period), (start, from, to) => {
      let up = 0;
      let down = 0;
      let all = 0;
      let average = 0;
      for (let t = start + 1; t < to; t++) {
        const dh = high[t]! - high[t - 1]!;
        const dl = low[t - 1]! - low[t]!;
        const age = t - start;
        const decay = age < period ? 1 : keep;
        up = up * decay + (dh > dl && dh > 0 ? dh : 0);
        down = down * decay + (dl > dh && dl > 0 ? dl : 0);
        all = all * decay + range[t]!;
        if (age < period) continue;
        const sum = up + down;
        const dx = sum === 0 || all === 0 ? 0 : Math.abs(up - down) / sum;
        if (age < 2 * period) average += dx / period;
        else average += (dx - average) / period;
        if (t < from) continue;
        plus[t] = all === 0 ? 0 : up / all;
        minus[t] = all === 0 ? 0 : down / all;
        if (age >= 2 * period - 1) adx[t] = average;
      }
    });
    return { plus, minus, adx };
  });
}

export const directional = defineIndicator({
  name: 'directional',
  docs: 'Wilder directional indicators +DI, -DI and ADX, each / 100 [0]',
  params: z.strictObject({
    period: z.int().min(2).default(14),
    output: z.enum(['plus', 'minus', 'adx']).default('adx'),
  }),
  examples: [{ output: 'plus' }, { output: 'minus' }],
  recursive: true,
  warmupBars: ({ period, output }) => (output === 'adx' ? 2 * period - 1 : period),
  memoryBars: ({ period }) => memory(period),
  compute: (input, { period, output }) => directionalOf(input, period)[output],
});
