import { z } from 'zod';
import { eachRun } from './anchors.ts';
import { difference, ratio } from './arithmetic.ts';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
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
    const { close, positions } = input;
    const made = { line: positions.column(), signal: positions.column() };
    const state: State = { start: -1, row: -1, fast: 0, slow: 0, signal: 0 };
    const periods = { fast, slow, signal };
    eachRun(positions, memory(slow, signal), (start, from, to) => {
      if (state.start !== start || state.row !== from) {
        state.start = -1;
        const first = start + slow - 1;
        if (to <= first) return;
        Object.assign(state, { start, row: first });
        state.slow = meanOf(close, start, slow);
        state.fast = meanOf(close, start + slow - fast, fast);
        state.signal = 0;
      }
      follow(state, close, periods, made, [from, to]);
    });
    return made;
  });
}

/** Where a recursion that began at `start` is: the averages before `row` is added to them. */
interface State {
  start: number;
  row: number;
  fast: number;
  slow: number;
  signal: number;
}

function follow(
  state: State,
  close: Float64Array,
  periods: { readonly fast: number; readonly slow: number; readonly signal: number },
  { line, signal: average }: Macd,
  [from, to]: readonly [from: number, to: number],
): void {
  const first = state.start + periods.slow - 1;
  const seeded = first + periods.signal - 1;
  const ofFast = 2 / (periods.fast + 1);
  const ofSlow = 2 / (periods.slow + 1);
  const ofSignal = 2 / (periods.signal + 1);
  const [keepFast, keepSlow, keepSignal] = [1 - ofFast, 1 - ofSlow, 1 - ofSignal];
  let { fast, slow, signal, row: t } = state;
  for (; t < to && t <= seeded; t++) {
    if (t > first) {
      fast = keepFast * fast + ofFast * close[t]!;
      slow = keepSlow * slow + ofSlow * close[t]!;
    }
    signal += (fast - slow) / periods.signal;
    if (t < from) continue;
    line[t] = fast - slow;
    if (t >= seeded) average[t] = signal;
  }
  for (; t < from; t++) {
    fast = keepFast * fast + ofFast * close[t]!;
    slow = keepSlow * slow + ofSlow * close[t]!;
    signal = keepSignal * signal + ofSignal * (fast - slow);
  }
  for (; t < to; t++) {
    fast = keepFast * fast + ofFast * close[t]!;
    slow = keepSlow * slow + ofSlow * close[t]!;
    line[t] = fast - slow;
    signal = keepSignal * signal + ofSignal * (fast - slow);
    average[t] = signal;
  }
  Object.assign(state, { row: to, fast, slow, signal });
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
    const { positions, close } = input;
    const value =
      output === 'histogram' ? difference(made.line, made.signal, positions) : made[output];
    return unit === 'price' ? value : ratio(value, close, NaN, positions);
  },
});
