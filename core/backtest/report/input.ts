import type { BacktestResult } from '../result.ts';

/** A stored result and what people call it. */
export interface NamedResult {
  readonly name: string;
  readonly result: BacktestResult;
}

/** The closes of one instrument, for its price chart. */
export interface InstrumentCloses {
  readonly instrument: string;
  /** Open time of each bar, ms UTC, rising: what trades name their bars by. */
  readonly time: Float64Array;
  /** NaN of bars without a price. */
  readonly close: Float64Array;
}

/** Which version of a model answered from when to when, ms UTC. */
export interface ModelAnswers {
  /** As people call it. */
  readonly version: string;
  /** The registered model whose version it is; absent: nobody answered, or a backtest of before it was recorded. */
  readonly model?: string;
  /** Whose bars it answered for, in the order of the backtest. */
  readonly instruments?: readonly string[];
  readonly from: number;
  readonly to: number;
  /** The newest bar that its training, or the choice of it, knew; absent: not recorded. */
  readonly trainedThrough?: number;
  /** Answers asked for in that time, and of those how many failed, and how many were about bars it had learnt from. */
  readonly answers?: {
    readonly asked: number;
    readonly failed: number;
    readonly inSample: number;
  };
}

/** How the sizes of a strategy that takes advice came about. */
export interface AdviceOrigin {
  readonly strategy: string;
  readonly by: 'rule' | 'history' | 'endpoints';
  /** Names of the results that stand beside it: whole positions, and the mean advised size. */
  readonly fixed: string;
  readonly mean: string;
  readonly meanSize: number;
  /** Sizes that were asked for in the period, and of those how many by reason (core/advice/sizer.ts). */
  readonly decisions: number;
  readonly byReason: Readonly<Record<string, number>>;
  /** Advice of history that came too late for its bar. */
  readonly late?: number;
  /** Of endpoints: how many different questions, and how each model's answers ended. */
  readonly asked?: {
    readonly questions: number;
    readonly names: { readonly advisor: string; readonly checker: string };
    readonly tolerancePoints: number;
    readonly advisor: Readonly<Record<string, number>>;
    readonly checker: Readonly<Record<string, number>>;
  };
}

/** What a strategy or portfolio was asked to be, as a spec writes it, with every default filled in. */
export type Settings = Readonly<Record<string, unknown>>;

/** Where a backtest comes from. */
export interface BacktestOrigin {
  /** In order of time; empty: no model answered. */
  readonly models?: readonly ModelAnswers[];
  /** What the spec could ask in place of nobody, in words; absent: nothing else. */
  readonly insteadOfNobody?: string;
  readonly data?: readonly { readonly instrument: string; readonly hash: string }[];
  /** By result; absent: a backtest of before they were recorded. */
  readonly settings?: Readonly<Record<string, Settings>>;
  readonly codeVersion?: string;
  readonly specHash?: string;
  readonly warnings?: readonly string[];
  /** By strategy that takes advice; absent: none does. */
  readonly advice?: readonly AdviceOrigin[];
}

/** What a report of a backtest is made of. */
export interface BacktestReportInput {
  /** Of the backtest. */
  readonly name: string;
  /** The strategy that the report is about. */
  readonly strategy: NamedResult;
  /** Others over the same bars, to stand beside it. Buy-and-hold is in every result. */
  readonly beside: readonly NamedResult[];
  /** Instruments without closes get no price chart. */
  readonly closes: readonly InstrumentCloses[];
  readonly origin: BacktestOrigin;
}
