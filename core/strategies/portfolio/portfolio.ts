import { z } from 'zod';
import { barCount, type Bars } from '../../bars/bars.ts';
import type { Calendar } from '../../calendar/calendar.ts';
import { RatchetError } from '../../errors.ts';
import { allocationOrThrow, allocationSchema } from './allocation.ts';
import { periodOf, rebalanceSchema } from './schedule.ts';
import { timelineOf, type PortfolioColumn, type Timeline } from './timeline.ts';
import { windowAt } from './windows.ts';

/** Strategies times instruments. */
export const PORTFOLIO_COLUMNS_MAX = 50;

/** How a portfolio shares money out over its columns. */
export const portfolioSchema = z.strictObject({
  allocation: allocationSchema.default({ kind: 'equal' }).describe('By which rule.'),
  window: z
    .int()
    .min(10)
    .max(2500)
    .default(60)
    .describe('Returns that a rule looks at: a column takes part once it has so many.'),
  returnsOf: z
    .enum(['strategy', 'instrument'])
    .default('strategy')
    .describe(
      'What they are of. A strategy that was flat all the time has none to be weighed by: no weight.',
    ),
  rebalance: rebalanceSchema
    .default('month')
    .describe(
      'When weights are decided anew: at the first bar of a week, of a month, or of so many bars.',
    ),
  maxWeight: z.number().positive().max(1).default(1).describe('Of one column.'),
  maxTotal: z.number().positive().max(1).default(1).describe('Of all together; the rest is cash.'),
});
export type PortfolioSpec = z.output<typeof portfolioSchema>;

/** Weights that were decided. */
export interface Rebalancing {
  /** When they were known (ms UTC): from the first bar that closes then or later on they hold. */
  readonly knownAt: number;
  /** By column, >= 0, of what the column's strategy wants fully. */
  readonly weights: Float64Array;
  /** What is left of 1. */
  readonly cash: number;
}

/** What the engine is to do with one instrument. */
export interface InstrumentTargets {
  readonly bars: Bars;
  readonly calendar: Calendar;
  /**
   * Target weight of equity by bar: weight x position, added up over the columns of the instrument. NaN: nothing was
   * decided, what is held drifts.
   */
  readonly targets: Float64Array;
}

export interface PortfolioTargets {
  readonly rebalancings: readonly Rebalancing[];
  /** One an instrument, in the order of first mention. */
  readonly instruments: readonly InstrumentTargets[];
}

/**
 * Target weights of a portfolio of strategies, at each bar from what was known at its close. A target is given
 * where weights were decided anew or a strategy changed its position. Before the first rebalancing with enough
 * returns there is none.
 *
 * Throws `portfolio.empty`, `portfolio.columns` (more than 50), `portfolio.timeframe` (they differ), `portfolio.calendar`
 * (they differ, and weights are to be decided every so many bars: of which?), `portfolio.positions` (not one a bar),
 * `portfolio.bars` (two columns of an instrument on different bars).
 */
export function portfolioTargets(
  columns: readonly PortfolioColumn[],
  spec: PortfolioSpec,
): PortfolioTargets {
  checkColumns(columns, spec);
  const rebalancings = rebalance(columns, timelineOf(columns, spec.returnsOf), spec);
  const byInstrument = new Map<string, number[]>();
  columns.forEach(({ bars: { instrument } }, i) => {
    byInstrument.set(instrument, [...(byInstrument.get(instrument) ?? []), i]);
  });
  const instruments = Array.from(byInstrument.values(), (own) => {
    const { bars, calendar } = columns[own[0]!]!;
    return { bars, calendar, targets: targetsOf(columns, own, rebalancings) };
  });
  return { rebalancings, instruments };
}

function checkColumns(
  columns: readonly PortfolioColumn[],
  { rebalance: every }: PortfolioSpec,
): void {
  const first = columns[0];
  if (!first) throw new RatchetError('portfolio.empty', 'a portfolio needs a column');
  if (columns.length > PORTFOLIO_COLUMNS_MAX) {
    throw new RatchetError(
      'portfolio.columns',
      `a portfolio has ${PORTFOLIO_COLUMNS_MAX} columns at most, not ${columns.length}`,
    );
  }
  const seen = new Map<string, Bars>();
  for (const { name, bars, calendar, positions } of columns) {
    const same = seen.get(bars.instrument);
    if (bars.timeframe !== first.bars.timeframe) {
      throw new RatchetError('portfolio.timeframe', `${name} has bars of another timeframe`);
    }
    if (typeof every === 'object' && calendar.name !== first.calendar.name) {
      throw new RatchetError(
        'portfolio.calendar',
        `every ${every.bars} bars: ${name} follows ${calendar.name}, others ${first.calendar.name}`,
      );
    }
    if (positions.length !== barCount(bars)) {
      throw new RatchetError(
        'portfolio.positions',
        `${name} has ${positions.length} positions for ${barCount(bars)} bars`,
      );
    }
    if (same && !sameTimes(same, bars)) {
      throw new RatchetError('portfolio.bars', `${name} has other bars of ${bars.instrument}`);
    }
    seen.set(bars.instrument, bars);
  }
}

const sameTimes = (a: Bars, b: Bars): boolean =>
  a.openTime.length === b.openTime.length && a.openTime.every((time, t) => time === b.openTime[t]);

function rebalance(
  columns: readonly PortfolioColumn[],
  { openTime, knownAt, returns }: Timeline,
  { allocation, window, rebalance: every, maxWeight, maxTotal }: PortfolioSpec,
): readonly Rebalancing[] {
  const { bars, calendar } = columns[0]!;
  const rule = allocationOrThrow(allocation.kind);
  const period = (row: number): number => periodOf(openTime[row]!, every, calendar, bars.timeframe);
  const made: Rebalancing[] = [];
  for (let row = 1; row < openTime.length; row++) {
    if (period(row) === period(row - 1)) continue;
    const seen = windowAt(returns, row, window, rule.traits.readsReturns);
    if (!seen) continue;
    const weights = new Float64Array(columns.length);
    if (seen.columns.length > 0) {
      const found = rule.weigh(seen.returns, { maxWeight, maxTotal }, allocation);
      seen.columns.forEach((column, k) => (weights[column] = found[k]!));
    }
    // Rounding must not borrow.
    const cash = Math.max(0, 1 - weights.reduce((a, b) => a + b, 0));
    made.push({ knownAt: knownAt[row]!, weights, cash });
  }
  return made;
}

/** Targets of one instrument, on which the strategies of the columns `own` trade. */
function targetsOf(
  columns: readonly PortfolioColumn[],
  own: readonly number[],
  rebalancings: readonly Rebalancing[],
): Float64Array {
  const { bars, calendar } = columns[own[0]!]!;
  const targets = new Float64Array(barCount(bars)).fill(NaN);
  // A strategy without an opinion keeps its position; before its first one it has none.
  const held = own.map(() => 0);
  let next = 0;
  for (let t = 0; t < targets.length; t++) {
    const close = calendar.closeTime(bars.openTime[t]!, bars.timeframe);
    let decided = false;
    while (next < rebalancings.length && rebalancings[next]!.knownAt <= close) {
      next++;
      decided = true;
    }
    own.forEach((column, k) => {
      const position = columns[column]!.positions[t]!;
      if (Number.isNaN(position) || position === held[k]) return;
      held[k] = position;
      decided = true;
    });
    const weights = rebalancings[next - 1]?.weights;
    if (!decided || !weights) continue;
    targets[t] = own.reduce((sum, column, k) => sum + weights[column]! * held[k]!, 0);
  }
  return targets;
}
