import { barCount } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import { RatchetError } from '../errors.ts';
import { indicatorInput } from '../indicators/index.ts';
import type { ColumnsOf } from '../lookahead/index.ts';
import { SpareColumns } from '../spare-columns.ts';
import { nestedOf, strategyOrThrow } from './catalogue.ts';
import {
  sliceModel,
  type Decided,
  type StrategyContext,
  type StrategyInput,
  type StrategySpec,
} from './strategy.ts';

/** Leading bars without an opinion: the longest warm-up of the tree. */
export const warmupBarsOf = (spec: StrategySpec): number =>
  longest(spec, (of) => strategyOrThrow(of.kind).warmupBars(of));

/**
 * Bars before t that move the position at t, besides those back to the anchor before them (`ANCHOR_BARS` of
 * core/indicators): with `memoryBarsOf + ANCHOR_BARS` bars before t the position at t has the bits that any longer
 * history gives.
 */
export const memoryBarsOf = (spec: StrategySpec): number =>
  longest(spec, (of) => strategyOrThrow(of.kind).memoryBars(of));

/** Answers of a model before that of t which move the position at t: with them, and that of t, it has the bits of all. */
export const answerBarsOf = (spec: StrategySpec): number =>
  longest(spec, (of) => strategyOrThrow(of.kind).answerBars?.(of) ?? 0);

function longest(spec: StrategySpec, own: (of: StrategySpec) => number): number {
  return Math.max(own(spec), ...nestedOf(spec).map((nested) => longest(nested.spec, own)));
}

/**
 * What a strategy (parsed by `strategySpecSchema`) decides at the close of every bar, from it and the bars before
 * it. The first `warmupBarsOf(spec)` positions are NaN.
 *
 * Throws `strategies.no-model` where it needs answers and there are none, `strategies.model-length` where they are not
 * aligned with the bars, and `strategies.unknown`.
 */
export function decide(spec: StrategySpec, input: StrategyInput): Decided {
  const { bars, calendar, model, sizer, account } = input;
  const rows = barCount(bars);
  for (const [name, column] of Object.entries(model ?? {})) {
    if (column.length === rows) continue;
    throw new RatchetError(
      'strategies.model-length',
      `${rows} bars, but ${column.length} values of the model's ${name}`,
      { details: { name, values: column.length, rows } },
    );
  }
  return columns.during((column) => {
    const context: StrategyContext = {
      bars,
      calendar,
      ...(model && { model }),
      ...(sizer && { sizer }),
      ...(account && { account }),
      rows,
      indicators: indicatorInput(bars, calendar, column),
      decide: (nested) => strategyOrThrow(nested.kind).decide(context, nested),
    };
    const decided = context.decide(spec);
    decided.positions.fill(NaN, 0, Math.min(rows, warmupBarsOf(spec)));
    return decided;
  }, positionsOf);
}

const positionsOf = ({ positions }: Decided): Float64Array[] => [positions];

/** Those of the indicators, which nobody reads once all is decided. */
const columns = new SpareColumns();

/**
 * A strategy as what core/lookahead asks: its positions on any stretch of the bars of `input`, with the model's answers
 * cut to that stretch. The column is called `position`.
 */
export function strategyColumns(spec: StrategySpec, input: StrategyInput): ColumnsOf {
  const { bars: all, calendar, model } = input;
  return (bars) => {
    const from = lowerBound(all.openTime, bars.openTime[0] ?? 0);
    const answers = model && { model: sliceModel(model, from, from + barCount(bars)) };
    return { position: decide(spec, { bars, calendar, ...answers }).positions };
  };
}
