import type { Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';

/**
 * Minute of the UTC day by which a session that opens at 9:30 in New York is open in winter and in summer. Daily
 * bars carry midnight; their open is known no later than this, and nothing may know it before.
 */
const SESSION_OPEN_MS = (14 * 60 + 30) * 60_000;

/** When each bar's open and close are known, ms UTC: what orders the events of several instruments. */
export interface Instants {
  readonly openAt: Float64Array;
  readonly closeAt: Float64Array;
}

/** Instants of all bars: openAt[t] < closeAt[t] <= openAt[t + 1]. */
export function instantsOf({ openTime, timeframe }: Bars, calendar: Calendar): Instants {
  const openAt = new Float64Array(openTime.length);
  const closeAt = new Float64Array(openTime.length);
  const opens = calendar.alwaysOpen ? 0 : SESSION_OPEN_MS;
  let before = -Infinity;
  for (let t = 0; t < openTime.length; t++) {
    const close = calendar.closeTime(openTime[t]!, timeframe);
    const open = openTime[t]! + opens;
    // A session that ends before that minute (or a bar off its calendar) opens with the bar itself.
    openAt[t] = Math.max(before, open < close ? open : openTime[t]!);
    closeAt[t] = Math.max(close, openAt[t]! + 1);
    before = closeAt[t]!;
  }
  return { openAt, closeAt };
}

/** All instants at which any bar closes, rising, each once: the rows of a run. */
export function rowTimes(closings: readonly Float64Array[]): Float64Array {
  if (closings.length === 1) return closings[0]!;
  const all = new Float64Array(closings.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of closings) {
    all.set(each, at);
    at += each.length;
  }
  all.sort();
  let kept = 0;
  for (const time of all) if (kept === 0 || time !== all[kept - 1]) all[kept++] = time;
  return all.slice(0, kept);
}
