import type { z } from 'zod';
import type { AccountFacts } from '../advice/facts.ts';
import type { Sizer } from '../advice/sizer.ts';
import type { Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import type { IndicatorInput } from '../indicators/index.ts';

/** A model's answers, one value a bar: the answer given at the close of that bar. NaN: none was asked for. */
export interface ModelColumns {
  /** p(buy) - p(sell) in -1..1, as core/signals recommends by it; NaN of answers without a probability. */
  readonly score: Float64Array;
  /** 0..1. */
  readonly probabilityUp: Float64Array;
  /** Expected simple return over the horizon. */
  readonly change: Float64Array;
  /** 1: the model says not to act on its answer. */
  readonly abstained?: Uint8Array;
  /** 1: an answer was asked for and there is none. */
  readonly failed?: Uint8Array;
}

/** What a strategy is decided on: the bars of one instrument, and answers aligned with them. */
export interface StrategyInput {
  readonly bars: Bars;
  readonly calendar: Calendar;
  readonly model?: ModelColumns;
  /** Who says the sizes of strategies that take advice; absent: the rule. */
  readonly sizer?: Sizer;
  /** The account at the close of a bar (open time, ms UTC) that sizes are advised on; absent: none is known. */
  readonly account?: (openTime: number) => AccountFacts | null;
}

/** A strategy as data: its kind and settings, defaults filled in. Settings may be strategies themselves. */
export interface StrategySpec {
  readonly kind: string;
  readonly [param: string]: unknown;
}

/** Who decided: `kind`, or `kind.slot:...` for what stands in that slot of it. */
export interface Part {
  readonly name: string;
  /** It stood in for a model that gave no answer. */
  readonly fallback: boolean;
}

export interface Decided {
  /**
   * Target position at the close of each bar as a share of what may be invested, -1 (short) to 1 (long), decided on that
   * bar and those before it. NaN: no opinion (warming up, a price missing, no answer asked for).
   */
  readonly positions: Float64Array;
  readonly parts: readonly Part[];
  /** By bar the number in `parts` of who decided; says nothing where the position is NaN. */
  readonly decidedBy: Uint8Array;
}

/** What a strategy has at hand. */
export interface StrategyContext extends StrategyInput {
  readonly rows: number;
  /** Columns of indicators over the bars, each made once for all strategies of a tree. */
  readonly indicators: IndicatorInput;
  /** What another strategy decides on the same input. */
  decide(spec: StrategySpec): Decided;
}

export const ADVICE_SOURCES = ['rule', 'history', 'endpoints'] as const;

/** How a strategy takes advice. */
export interface AdviceUse {
  /** The strategy whose positions are sized: at a fixed size it is what advice is measured by. */
  readonly of: StrategySpec;
  readonly by: (typeof ADVICE_SOURCES)[number];
  /** Most different questions that endpoints are asked. */
  readonly questions: number;
  /** Another number asks everything anew. */
  readonly round: number;
  /** fixed: advice knows the account that holds the whole positions. */
  readonly account: 'none' | 'fixed';
}

/** A strategy inside another. */
export interface Nested {
  /** The setting that it stands in, such as `of` or `members[1]`. */
  readonly slot: string;
  readonly spec: StrategySpec;
  /** It stands in where the model gave no answer, and so may not ask one itself. */
  readonly fallback: boolean;
}

/**
 * One strategy of the catalogue: a pure function from bars (and a model's answers) to target positions. The position at
 * bar t depends on nothing but bars t - `memoryBars` .. t and the anchor before them (see core/indicators), so
 * that serving and backtest agree whatever history they start from.
 */
export interface Strategy<P extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly title: string;
  /** What it does, its formula, and when it has which position. */
  readonly docs: string;
  readonly params: P;
  /** Settings to try it with, where it cannot do without any. */
  readonly example?: z.input<P>;
  readonly traits: {
    /** It reads a model's answers itself, whatever stands inside it. */
    readonly readsModel: boolean;
  };
  /** Whether it reads one with these settings, where that depends on them; absent: as the trait says. */
  asksModel?(params: z.output<P>): boolean;
  /** Of one that takes advice on the size of another's positions: whose, and from whom. */
  advice?(params: z.output<P>): AdviceUse;
  /** Absent: nothing stands inside it. */
  nested?(params: z.output<P>): readonly Nested[];
  /** Leading bars without an opinion, not counting those of nested strategies. */
  warmupBars(params: z.output<P>): number;
  /** Bars before t that move the position at t, not counting those of nested strategies. */
  memoryBars(params: z.output<P>): number;
  /** Answers of the model before that of t which move the position at t, likewise; absent: none. */
  answerBars?(params: z.output<P>): number;
  decide(context: StrategyContext, params: z.output<P>): Decided;
}

export function defineStrategy<P extends z.ZodObject>(strategy: Strategy<P>): Strategy<P> {
  return Object.freeze(strategy);
}

/** The answers of the bars `from` (inclusive) to `to` (exclusive), as views on the same memory. */
export function sliceModel(model: ModelColumns, from: number, to?: number): ModelColumns {
  return {
    score: model.score.subarray(from, to),
    probabilityUp: model.probabilityUp.subarray(from, to),
    change: model.change.subarray(from, to),
    ...(model.abstained && { abstained: model.abstained.subarray(from, to) }),
    ...(model.failed && { failed: model.failed.subarray(from, to) }),
  };
}
