import { z } from 'zod';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { eachRun } from './positions.ts';
import { emaMemory } from './recursions.ts';

interface Macd {
  readonly line: Float64Array;
  readonly signal: Float64Array;
}

const memory = (slow: number, signal: number): number => emaMemory(slow) + 2 * signal;

/**
 * Moving average convergence/divergence (Appel), divided by the close unless the unit is price.
 * Formula: line = ema(fast) - ema(slow); signal = ema of the line; histogram = line - signal.
 * Reference: TA-Lib, whose fast EMA starts so late that both have their first value on the same bar.
 */
function macdOf(input: IndicatorInput, fast: number, slow: number, signal: number): Macd {
  return input.share(`macd ${fast} ${slow} ${signal}`, () => {
    const { close, rows } = input;
    const line = new Float64Array(rows).fill(NaN);
    const average = new Float64Array(rows).fill(NaN);
    eachRun(input.positions, memory(slow, signal), (start, from, to) => {
      if (start + slow - 1 >= to) return;
      let slowValue = meanOf(close, start, slow);
      let fastValue = meanOf(close, start + slow - fast, fast);
      let value = 0;
      const first = start + slow - 1;
      const seeded = first + signal - 1;
      for (let t = first; t < to; t++) {
        if (t > first) {
          fastValue += (2 / (fast + 1)) * (close[t]! - fastValue);
          slowValue += (2 / (slow + 1)) * (close[t]! - slowValue);
        }
        const macdValue = fastValue - slowValue;
        if (t <= seeded) value += macdValue / signal;
        else value += (2 / (signal + 1)) * (macdValue - value);
        if (t < from) continue;
        line[t] = macdValue;
        if (t >= seeded) average[t] = value;
      }
    });
    return { line, signal: average };
  });
}

function meanOf(x: Float64Array, from: number, count: number): number {
  let sum = 0;
  for (let t = from; t < from + count; t++) sum += x[t]!;
  return sum / count;
}

export const macd = defineIndicator({
  name: 'macd',
  docs: '(ema(fast) - ema(slow)) / c, its signal line (ema of it), or the histogram (line - signal); unit price: not divided by c',
  params: z
    .strictObject({
      fast: z.int().min(1).default(12),
      slow: z.int().min(2).default(26),
      signal: z.int().min(1).default(9),
      output: z.enum(['line', 'signal', 'histogram']).default('line'),
      // Optional without a default: what is absent stays out of the keys that hashes are made of.
      unit: z.literal('price').exactOptional(),
    })
    .refine(({ fast, slow }) => fast < slow, 'fast must be shorter than slow'),
  examples: [
    { output: 'signal' },
    { fast: 5, slow: 13, signal: 5, output: 'histogram' },
    { output: 'histogram', unit: 'price' },
  ],
  recursive: true,
  warmupBars: ({ slow, signal, output }) => (output === 'line' ? slow - 1 : slow + signal - 2),
  memoryBars: ({ slow, signal }) => memory(slow, signal),
  compute: (input, { fast, slow, signal, output, unit }) => {
    const made = macdOf(input, fast, slow, signal);
    const out = new Float64Array(input.rows);
    for (let t = 0; t < out.length; t++) {
      let value = made.line[t]!;
      if (output === 'signal') value = made.signal[t]!;
      else if (output === 'histogram') value -= made.signal[t]!;
      out[t] = unit === 'price' ? value : value / input.close[t]!;
    }
    return out;
  },
});
