import { barCount, TIMEFRAME_MS } from '../../bars/bars.ts';
import type { Bars } from '../../bars/bars.ts';
import type { Calendar } from '../../calendar/calendar.ts';

/** One strategy on one instrument; several may share an instrument. */
export interface PortfolioColumn {
  /** Unique among the columns. */
  readonly name: string;
  readonly bars: Bars;
  readonly calendar: Calendar;
  /** Target position of the strategy by bar, -1..1; NaN: no opinion. All 1: the instrument itself. */
  readonly positions: Float64Array;
}

/** The sessions of all columns together. */
export interface Timeline {
  /** Open times, ms UTC, increasing. */
  readonly openTime: Float64Array;
  /**
   * When all bars of the session are complete: what is decided on it is known then, and not before, although the bars of
   * an exchange are complete earlier than those of a market that never closes.
   */
  readonly knownAt: Float64Array;
  /** By column what it earned in the session; NaN: no bar, no opinion, or the first of its bars. */
  readonly returns: readonly Float64Array[];
}

/** `of` strategy: what its positions earned; instrument: the returns of the instrument itself. */
export function timelineOf(
  columns: readonly PortfolioColumn[],
  of: 'strategy' | 'instrument',
): Timeline {
  const times = new Set(columns.flatMap(({ bars }) => Array.from(bars.openTime)));
  const openTime = Float64Array.from(times).sort();
  const rowOf = new Map(Array.from(openTime, (time, row) => [time, row]));
  const calendars = [...new Set(columns.map(({ calendar }) => calendar))];
  const { timeframe } = columns[0]!.bars;
  const knownAt = openTime.map((time) => {
    // By the calendars, not by the bars there are: a bar that is still to come must count as well.
    const open = calendars.filter((calendar) => calendar.isOpen(time, timeframe));
    const closes = open.map((calendar) => calendar.closeTime(time, timeframe));
    return closes.length > 0 ? Math.max(...closes) : time + TIMEFRAME_MS[timeframe];
  });
  const returns = columns.map(({ bars, positions }) => {
    const out = new Float64Array(openTime.length).fill(NaN);
    for (let t = 1; t < barCount(bars); t++) {
      // Held over the bar is what was decided at the close before it; costs and gaps are the engine's business.
      const held = of === 'strategy' ? positions[t - 1]! : 1;
      out[rowOf.get(bars.openTime[t]!)!] = held * (bars.close[t]! / bars.close[t - 1]! - 1);
    }
    return out;
  });
  return { openTime, knownAt, returns };
}
