import { z } from 'zod';
import { gainsOf, lossesOf, positionIn, ratioOf } from './arithmetic.ts';
import { defineIndicator, use } from './indicator.ts';
import { half, kernel, plus, times } from './kernel.ts';
import { columnBy } from './positions.ts';
import { wilderColumn, wilderMemory } from './recursions.ts';
import { closeChange } from './series.ts';
import { windowMax, windowMin } from './windows.ts';

const shareKernel = kernel(2, 1, ([up, down], [whole]) =>
  times(ratioOf(up!, plus(up!, down!), half), whole!),
);

/**
 * Relative strength index (Wilder, 1978), 0..1, or 0..100 with unit percent.
 * Formula: u / (u + d), the Wilder averages of gains and losses; the first are plain means.
 * Edge: 0.5 where nothing moved (TA-Lib says 0 there).
 */
export const rsi = defineIndicator({
  name: 'rsi',
  docs: 'relative strength index / 100: Wilder average of gains / (gains + losses) [0.5]; unit percent: x 100',
  params: z.strictObject({
    period: z.int().min(2).default(14),
    // Optional without a default: what is absent stays out of the keys that hashes are made of.
    unit: z.literal('percent').exactOptional(),
  }),
  examples: [{ period: 2 }, { period: 7 }, { unit: 'percent' }],
  recursive: true,
  warmupBars: ({ period }) => period,
  memoryBars: ({ period }) => wilderMemory(period),
  compute: (input, { period, unit }) => {
    const { positions } = input;
    const whole = unit === 'percent' ? 100 : 1;
    const moves = closeChange(input);
    const up = wilderColumn(gainsOf(moves, positions), period, positions);
    const down = wilderColumn(lossesOf(moves, positions), period, positions);
    return columnBy(positions, shareKernel, [up, down], [whole]);
  },
});

/** Where the RSI lies in its own range of the last `period` bars. */
export const stochRsi = defineIndicator({
  name: 'stochRsi',
  docs: '(rsi - min rsi) / (max rsi - min rsi) over `period` bars [0.5]',
  params: z.strictObject({ period: z.int().min(2).default(14) }),
  examples: [],
  recursive: true,
  warmupBars: ({ period }) => 2 * period - 1,
  memoryBars: ({ period }) => wilderMemory(period) + period - 1,
  compute: (input, { period }) => {
    const values = input.column(use(rsi, { period }));
    const low = windowMin(values, period, input.positions);
    const high = windowMax(values, period, input.positions);
    return positionIn(values, low, high, 0.5, input.positions);
  },
});
