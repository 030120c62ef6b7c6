import { TIMEFRAME_MS, type Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import type { NewColumn } from '../spare-columns.ts';

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

/** Instants of all bars: openAt[t] < closeAt[t] <= openAt[t + 1]; in columns of `column`, or those of the bars. */
export function instantsOf(bars: Bars, calendar: Calendar, column = newColumn): Instants {
  const endless = calendar.alwaysOpen ? endlessInstants(bars, column) : undefined;
  return endless ?? instantsBySession(bars, calendar, column);
}

const newColumn: NewColumn = (rows) => new Float64Array(rows);

/** Of bars that take all their time and do not overlap: each opens when it says; undefined of others. */
function endlessInstants({ openTime, timeframe }: Bars, column: NewColumn): Instants | undefined {
  const closeAt = column(openTime.length);
  const bar = TIMEFRAME_MS[timeframe];
  let before = -Infinity;
  for (let t = 0; t < openTime.length; t++) {
    if (openTime[t]! < before) return undefined;
    before = openTime[t]! + bar;
    closeAt[t] = before;
  }
  return { openAt: openTime, closeAt };
}

function instantsBySession(
  { openTime, timeframe }: Bars,
  calendar: Calendar,
  column: NewColumn,
): Instants {
  const openAt = column(openTime.length);
  const closeAt = column(openTime.length);
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
