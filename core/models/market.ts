/** What a family that learns by trading needs to know of the market; who plays the trades lies above this folder. */
import type { Timeframe } from '../bars/bars.ts';

/** The bars that the rows of samples belong to; columns have one entry a row of `Samples.features`. */
export interface Market {
  /** ms UTC. */
  readonly openTime: Float64Array;
  /** First price; NaN where no bar was recorded: nothing trades there. */
  readonly open: Float64Array;
  readonly close: Float64Array;
  /** Rows [from, to) by instrument. */
  readonly instruments: readonly {
    readonly id: string;
    readonly from: number;
    readonly to: number;
  }[];
  readonly timeframe: Timeframe;
  /** Its name. */
  readonly calendar: string;
  /** Position that each class of the label stands for, as a share of equity: -1 short, 0 flat, 1 long. */
  readonly positions: readonly number[];
}

/** Consecutive bars of one instrument, oldest first. */
export interface EpisodeBars {
  readonly instrument: string;
  readonly timeframe: Timeframe;
  readonly calendar: string;
  /** ms UTC. */
  readonly openTime: Float64Array;
  readonly open: Float64Array;
  readonly close: Float64Array;
}

/** When orders fill and what they cost; see the rules of backtests, of which these are some. */
export interface TradingRules {
  readonly fill: 'nextOpen' | 'nextClose';
  /** Of one side, basis points of the traded value; absent: of the market. */
  readonly costs?: { readonly feeBps: number; readonly slippageBps: number } | undefined;
  readonly borrowBpsPerYear: number;
  readonly allowShort: boolean;
}

/**
 * What following target weights would have brought, beginning flat: the log change of equity by bar, after costs; 0 at
 * the first. `targets`: share of equity by bar, decided at its close; NaN: no change is wanted.
 */
export type Episode = (targets: Float64Array) => Float64Array;

/** Makes the bars of an episode ready to be played any number of times. */
export type OpenEpisode = (bars: EpisodeBars, rules: TradingRules) => Episode;
