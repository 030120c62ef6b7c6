/** A bar's length as the field writes it. */
export const TIMEFRAMES = ['1h', '1d'] as const;
export type Timeframe = (typeof TIMEFRAMES)[number];

/** Nominal length of one bar in milliseconds (a session of `1d` may trade for fewer hours). */
export const TIMEFRAME_MS: Readonly<Record<Timeframe, number>> = {
  '1h': 3_600_000,
  '1d': 86_400_000,
};

/**
 * The bars of one instrument, one typed array per column, all of the same length.
 *
 * `openTime` holds milliseconds since 1970-01-01T00:00:00Z, strictly increasing. A daily bar carries
 * midnight UTC of its *session date*; an hourly bar the UTC instant at which it opens. Prices are
 * positive; `volume` and `value` (quote currency) are >= 0. Columns of a missing bar that a policy has
 * not filled are NaN. Nobody mutates a `Bars`: functions return new ones.
 */
export interface Bars {
  readonly instrument: string;
  readonly timeframe: Timeframe;
  readonly openTime: Float64Array;
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  readonly volume: Float64Array;
  readonly value: Float64Array;
  /** True where the source had no traded value and `value` is volume x (high + low + close) / 3. */
  readonly valueDerived: boolean;
  /** Columns of exogenous sources, named `dataset.column`; NaN where such a source had no bar. */
  readonly exogenous?: Readonly<Record<string, Float64Array>>;
}

export const BAR_COLUMNS = ['open', 'high', 'low', 'close', 'volume', 'value'] as const;
export type BarColumn = (typeof BAR_COLUMNS)[number];

/** Number of bars. */
export const barCount = (bars: Bars): number => bars.openTime.length;

/** The bars `from` (inclusive) to `to` (exclusive) by position, as views on the same memory. */
export function sliceBars(bars: Bars, from: number, to: number = barCount(bars)): Bars {
  return {
    instrument: bars.instrument,
    timeframe: bars.timeframe,
    openTime: bars.openTime.subarray(from, to),
    open: bars.open.subarray(from, to),
    high: bars.high.subarray(from, to),
    low: bars.low.subarray(from, to),
    close: bars.close.subarray(from, to),
    volume: bars.volume.subarray(from, to),
    value: bars.value.subarray(from, to),
    valueDerived: bars.valueDerived,
    ...(bars.exogenous && {
      exogenous: Object.fromEntries(
        Object.entries(bars.exogenous).map(([name, column]) => [name, column.subarray(from, to)]),
      ),
    }),
  };
}
