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

/** Where a backtest comes from. */
export interface BacktestOrigin {
  /** In order of time; empty: no model answered. */
  readonly models?: readonly ModelAnswers[];
  readonly data?: readonly { readonly instrument: string; readonly hash: string }[];
  readonly codeVersion?: string;
  readonly specHash?: string;
  readonly warnings?: readonly string[];
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
