import { z } from 'zod';
import { eachRun } from './anchors.ts';
import { gainOf, lossOf, signOf } from './arithmetic.ts';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { kernel, minus, type Term, times } from './kernel.ts';
import { columnBy } from './positions.ts';
import { trueRanges } from './series.ts';

/** Two nested smoothings: the start decays as m e^(-m / n). */
const memory = (period: number): number => 16 * period;

interface Directional {
  readonly plus: Float64Array;
  readonly minus: Float64Array;
  readonly adx: Float64Array;
}

/** Where a recursion that began at `start` is: its sums before `row` is added to them. */
interface State {
  start: number;
  row: number;
  up: number;
  down: number;
  all: number;
  average: number;
}

/**
 * Directional movement (Wilder, 1978), all 0..1.
 * Formula: +DM = dh where dh > -dl and dh > 0, -DM likewise; sums S <- S - S / n + value of +DM, -DM and
 * true range; +DI = S(+DM) / S(TR); DX = |+DI - -DI| / (+DI + -DI); ADX = Wilder mean of DX.
 * Reference: TA-Lib, whose sums begin with n - 1 values. Edge: 0 where a denominator is 0.
 */
function directionalOf(input: IndicatorInput, period: number): Directional {
  return input.share(`directional ${period}`, () => {
    const { positions } = input;
    const moves = { ...movesOf(input), range: trueRanges(input) };
    const made = { plus: positions.column(), minus: positions.column(), adx: positions.column() };
    const state: State = { start: -1, row: -1, up: 0, down: 0, all: 0, average: 0 };
    eachRun(positions, memory(period), (start, from, to) => {
      if (state.start !== start || state.row !== from || from === 0) {
        Object.assign(state, { start, row: start + 1, up: 0, down: 0, all: 0, average: 0 });
      }
      follow(state, period, moves, made, [from, to]);
    });
    return made;
  });
}

interface Moves {
  readonly up: Float64Array;
  readonly down: Float64Array;
  readonly range: Float64Array;
}

function follow(
  state: State,
  period: number,
  { up: ups, down: downs, range }: Moves,
  { plus, minus, adx }: Directional,
  [from, to]: readonly [from: number, to: number],
): void {
  const share = 1 / period;
  const keep = 1 - share;
  const seeded = state.start + 2 * period;
  let { up, down, all, average, row: t } = state;
  for (; t < to && t < seeded; t++) {
    const age = t - state.start;
    const decay = age < period ? 1 : keep;
    up = up * decay + ups[t]!;
    down = down * decay + downs[t]!;
    all = all * decay + range[t]!;
    if (age < period) continue;
    average += dxOf(up, down, all) * share;
    if (t < from) continue;
    plus[t] = all === 0 ? 0 : up / all;
    minus[t] = all === 0 ? 0 : down / all;
    if (t === seeded - 1) adx[t] = average;
  }
  for (; t < from; t++) {
    up = up * keep + ups[t]!;
    down = down * keep + downs[t]!;
    all = all * keep + range[t]!;
    average = average * keep + dxOf(up, down, all) * share;
  }
  for (; t < to; t++) {
    up = up * keep + ups[t]!;
    down = down * keep + downs[t]!;
    all = all * keep + range[t]!;
    average = average * keep + dxOf(up, down, all) * share;
    plus[t] = all === 0 ? 0 : up / all;
    minus[t] = all === 0 ? 0 : down / all;
    adx[t] = average;
  }
  Object.assign(state, { row: to, up, down, all, average });
}

function dxOf(up: number, down: number, all: number): number {
  const sum = up + down;
  return sum === 0 || all === 0 ? 0 : Math.abs(up - down) / sum;
}

/** Of h, h[-1], l, l[-1]: how much the high rose and the low fell, and which of them more: 1, 0 or -1. */
function movesOfBar([h, h1, l, l1]: readonly Term[]): readonly [up: Term, down: Term, side: Term] {
  const up = gainOf(minus(h!, h1!));
  const down = gainOf(minus(l1!, l!));
  return [up, down, signOf(minus(up, down))];
}

const upKernel = kernel(4, 0, (prices) => {
  const [up, , side] = movesOfBar(prices);
  return times(up, gainOf(side));
});
const downKernel = kernel(4, 0, (prices) => {
  const [, down, side] = movesOfBar(prices);
  return times(down, lossOf(side));
});

/** +DM and -DM: the larger one of how much the high rose and the low fell; the other is 0. */
const movesOf = ({ high, low, positions, share }: IndicatorInput): Pick<Moves, 'up' | 'down'> =>
  share('directional moves', () => {
    const prices = [high, [high, 1], low, [low, 1]] as const;
    return {
      up: columnBy(positions, upKernel, prices, [], 1),
      down: columnBy(positions, downKernel, prices, [], 1),
    };
  });

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
