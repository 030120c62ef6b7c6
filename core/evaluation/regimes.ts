/** Volatility regimes: calm, middling or lively, by terciles that only the training part fixed. */
import { quantileOfSorted } from '../metrics/bootstrap.ts';

/** Log returns in a trailing volatility: a month of daily bars, a week of hourly ones. */
export const REGIME_BARS = { '1d': 20, '1h': 168 } as const;

/** From the calmest to the liveliest. */
export const REGIMES = ['calm', 'middling', 'lively'] as const;

export interface RegimeInput {
  readonly timeframe: keyof typeof REGIME_BARS;
  /** By row; instruments stacked. */
  readonly close: Float64Array;
  /** Row ranges [from, to). */
  readonly instruments: readonly { readonly from: number; readonly to: number }[];
  /** Rows that the terciles are fitted on. */
  readonly train: Int32Array;
  /** Rows to tell the regime of. */
  readonly test: Int32Array;
}

/**
 * Regime of each test row: 0 calm, 1 middling, 2 lively; -1 where its volatility is not known. Volatility: SD (ddof
 * 1) of the last 20 daily or 168 hourly log returns up to the row's own bar. Terciles of the training rows, for each
 * instrument by itself; a value on a border belongs below it.
 */
export function regimesOf({ timeframe, close, instruments, train, test }: RegimeInput): Int32Array {
  const volatility = new Float64Array(close.length);
  const borders = instruments.map(({ from, to }) => {
    const own = trailingVolatility(close.subarray(from, to), REGIME_BARS[timeframe]);
    volatility.set(own, from);
    const fitted = Float64Array.from(
      train.filter((row) => row >= from && row < to),
      (row) => own[row - from]!,
    )
      .filter(Number.isFinite)
      .sort();
    return [quantileOfSorted(fitted, 1 / 3), quantileOfSorted(fitted, 2 / 3)] as const;
  });
  return test.map((row) => {
    const at = instruments.findIndex(({ from, to }) => row >= from && row < to);
    const [low = NaN, high = NaN] = borders[at] ?? [];
    const value = volatility[row]!;
    if (!Number.isFinite(value + low + high)) return -1;
    return value <= low ? 0 : value <= high ? 1 : 2;
  });
}

/** SD of the last `bars` log returns at each bar; NaN before there are so many. */
export function trailingVolatility(close: Float64Array, bars: number): Float64Array {
  const returns = close.map((price, i) => (i === 0 ? NaN : Math.log(price / close[i - 1]!)));
  const out = new Float64Array(close.length).fill(NaN);
  for (let i = bars; i < close.length; i++) {
    const window = returns.subarray(i - bars + 1, i + 1);
    const mean = window.reduce((a, b) => a + b, 0) / bars;
    out[i] = Math.sqrt(window.reduce((sum, r) => sum + (r - mean) ** 2, 0) / (bars - 1));
  }
  return out;
}
