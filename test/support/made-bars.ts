import { barsFromRows, type Bars, type BarRow, type Timeframe } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bars of a calendar that no rule minds: a seeded random walk. */
export function walkBars(
  count: number,
  options: {
    readonly seed?: number;
    readonly timeframe?: Timeframe;
    readonly from?: string;
    readonly instrument?: string;
  } = {},
): Bars {
  const { seed = 1, timeframe = '1d', from = '2015-01-02', instrument = 'WALK' } = options;
  const calendar = calendarFor(timeframe === '1d' ? 'nyse' : '24x7');
  const random = seeded(seed);
  const first = Date.parse(from);
  let close = 100;
  const rows: BarRow[] = [];
  for (let i = 0; i < count; i++) {
    const open = close * (1 + (random() - 0.5) * 0.004);
    close = open * (1 + (random() - 0.5) * 0.02);
    rows.push({
      openTime: calendar.addBars(first, i, timeframe),
      open,
      high: Math.max(open, close) * (1 + random() * 0.004),
      low: Math.min(open, close) * (1 - random() * 0.004),
      close,
      volume: 1e6 * (0.8 + 0.4 * random()),
    });
  }
  return barsFromRows(instrument, timeframe, rows);
}

/** The same bars with some rows changed. */
export function withRows(bars: Bars, change: Readonly<Record<number, Partial<BarRow>>>): Bars {
  const rows = Array.from(bars.openTime, (openTime, i) => ({
    openTime,
    open: bars.open[i]!,
    high: bars.high[i]!,
    low: bars.low[i]!,
    close: bars.close[i]!,
    volume: bars.volume[i]!,
    ...change[i],
  }));
  return barsFromRows(bars.instrument, bars.timeframe, rows);
}
