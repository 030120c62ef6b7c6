/** Columns that the bars of another market add to those of a series, without what was not known yet. */
import { BAR_COLUMNS, TIMEFRAME_MS, type Bars } from './bars.ts';
import { lowerBound } from './build.ts';
import type { Sessions } from './sessions.ts';

/** When bars are known: so long after they closed by their calendar. */
export interface BarTiming {
  readonly calendar: Sessions;
  /** From a bar's close to its publication. */
  readonly delayMs: number;
}

/** No market here pauses longer, but for a war. */
const LONGEST_PAUSE_MS = 14 * TIMEFRAME_MS['1d'];

export interface TimedBars {
  readonly bars: Bars;
  /** Absent where nobody says it. */
  readonly timing?: BarTiming | undefined;
}

/**
 * `open` ... `value` of `other` at the bars of `series`. Bar t holds the newest bar that became known after the session
 * before t, and no later than t itself: of a day that ends at midnight an exchange that closes in the afternoon knows only
 * yesterday's. NaN where none did. Where either does not say when its bars are known, bars of the same open time meet.
 */
export function exogenousColumns(
  series: TimedBars,
  other: TimedBars,
): Record<string, Float64Array> {
  const at =
    series.timing && other.timing
      ? knownAlready(series.bars, series.timing, other.bars, other.timing)
      : opensTogether(series.bars, other.bars);
  return Object.fromEntries(
    BAR_COLUMNS.map((column) => {
      const from = other.bars[column];
      return [column, Float64Array.from(at, (i) => (i < 0 ? Number.NaN : from[i]!))];
    }),
  );
}

/** By bar of `series` the place in `other`; -1: none. */
function opensTogether({ openTime }: Bars, other: Bars): Int32Array {
  return Int32Array.from(openTime, (time) => {
    const position = lowerBound(other.openTime, time);
    return other.openTime[position] === time ? position : -1;
  });
}

/**
 * As `opensTogether`, by knowledge. The session before is that of the calendar, whether its bar is there or not: a row
 * is the same from whatever history it is built.
 */
function knownAlready(
  { openTime, timeframe }: Bars,
  { calendar, delayMs }: BarTiming,
  other: Bars,
  timing: BarTiming,
): Int32Array {
  const out = new Int32Array(openTime.length).fill(-1);
  const [first, last] = [openTime[0], openTime.at(-1)];
  if (first === undefined || last === undefined) return out;
  const sessions = calendar.between(first - LONGEST_PAUSE_MS, last, timeframe);
  const known = (time: number): number => calendar.closeTime(time, timeframe) + delayMs;
  const otherKnown = other.openTime.map(
    (time) => timing.calendar.closeTime(time, other.timeframe) + timing.delayMs,
  );
  let [session, next] = [0, 0];
  openTime.forEach((time, bar) => {
    while (session < sessions.length && sessions[session]! < time) session++;
    const before = sessions[session - 1];
    while (next < otherKnown.length && otherKnown[next]! <= known(time)) next++;
    const newest = otherKnown[next - 1];
    if (newest !== undefined && newest > (before === undefined ? -Infinity : known(before))) {
      out[bar] = next - 1;
    }
  });
  return out;
}
