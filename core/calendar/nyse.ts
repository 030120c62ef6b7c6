import type { Timeframe } from '../bars/bars.ts';
import { RatchetError } from '../errors.ts';
import type { Calendar } from './calendar.ts';
import { DAY_MS, dayOfIso, weekday } from './day.ts';
import { NYSE_TABLE } from './nyse-table.ts';

const SATURDAY = 6;
const SUNDAY = 0;
/** A session before the first known closing time: no market of the table closes later than this. */
const LATEST_CLOSE_MINUTE = 21 * 60;

interface Sessions {
  /** Days since 1970 of all sessions, ascending. */
  readonly days: Int32Array;
  /** By day since the first session: number of sessions up to and including that day. */
  readonly countThrough: Int32Array;
  readonly firstDay: number;
  readonly lastDay: number;
  /** Sessions at which the closing minute changes, and that minute. */
  readonly closeFrom: Int32Array;
  readonly closeMinute: Int32Array;
}

let table: Sessions | undefined;
const sessions = (): Sessions => (table ??= readTable());

function readTable(): Sessions {
  const firstDay = dayOfIso(NYSE_TABLE.first);
  const lastDay = dayOfIso(NYSE_TABLE.last);
  const lastSaturday = dayOfIso(NYSE_TABLE.lastSaturday);
  const closed = closedDays();
  const days: number[] = [];
  const countThrough = new Int32Array(lastDay - firstDay + 1);
  for (let day = firstDay; day <= lastDay; day++) {
    const w = weekday(day);
    const byRule = w !== SUNDAY && (w !== SATURDAY || day <= lastSaturday);
    if (byRule && !closed.has(day)) days.push(day);
    countThrough[day - firstDay] = days.length;
  }
  if (days.length !== NYSE_TABLE.sessions) {
    throw new RatchetError('calendar.table', `nyse-table.ts is damaged: ${days.length} sessions`);
  }
  const closes = NYSE_TABLE.closes.trim().split(/\s+/);
  return {
    days: Int32Array.from(days),
    countThrough,
    firstDay,
    lastDay,
    closeFrom: Int32Array.from(closes, (c) => compactDay(c.slice(0, 8))),
    closeMinute: Int32Array.from(closes, (c) => Number(c.slice(9))),
  };
}

function closedDays(): Set<number> {
  const closed = new Set<number>();
  for (const line of NYSE_TABLE.closures.trim().split('\n')) {
    const [year, ...days] = line.split(' ');
    for (const day of days) closed.add(compactDay(`${year}${day}`));
  }
  return closed;
}

const compactDay = (d: string): number =>
  dayOfIso(`${d.slice(0, 4)}-${d.slice(4, 6)}-${d.slice(6, 8)}`);

function requireDaily(timeframe: Timeframe): void {
  if (timeframe === '1d') return;
  throw new RatchetError(
    'calendar.timeframe',
    `the nyse calendar has daily sessions only, not ${timeframe}; use calendar 24x7 for hourly bars`,
  );
}

/** Weekdays (Mon..Fri) in (from, to], days since 1970. */
function weekdaysAfter(from: number, to: number): number {
  // 1970-01-05 was a Monday: count whole weeks from it.
  const through = (day: number): number => {
    const d = day - 4;
    const week = Math.floor(d / 7);
    return week * 5 + Math.min(5, d - week * 7 + 1);
  };
  return through(to) - through(from);
}

/** The day on which the n-th weekday (n >= 1) after `day` falls. */
function nthWeekdayAfter(day: number, n: number): number {
  let at = day + Math.floor((n - 1) / 5) * 7;
  for (let left = ((n - 1) % 5) + 1; left > 0;) {
    at++;
    const w = weekday(at);
    if (w !== SATURDAY && w !== SUNDAY) left--;
  }
  return at;
}

function indexOfDay(day: number): number {
  const s = sessions();
  if (day < s.firstDay) return -1;
  if (day <= s.lastDay) return s.countThrough[day - s.firstDay]! - 1;
  return s.days.length - 1 + weekdaysAfter(s.lastDay, day);
}

function dayAt(index: number): number {
  const s = sessions();
  if (index < 0) {
    throw new RatchetError(
      'calendar.beforeFirst',
      `no session before ${NYSE_TABLE.first} (the nyse calendar's first)`,
    );
  }
  if (index < s.days.length) return s.days[index]!;
  return nthWeekdayAfter(s.lastDay, index - s.days.length + 1);
}

function closeMinuteOf(day: number): number {
  const s = sessions();
  if (day < s.closeFrom[0]! || day > s.lastDay) return LATEST_CLOSE_MINUTE;
  let low = 0;
  let high = s.closeFrom.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (s.closeFrom[middle]! <= day) low = middle;
    else high = middle - 1;
  }
  return s.closeMinute[low]!;
}

/**
 * New York Stock Exchange: sessions 1885..2040 with holidays, ad-hoc closures and the Saturday sessions
 * up to 1952; weekdays after the table. Daily bars only. Position 0 is the session of 1885-01-02; an
 * instant before it has position -1.
 */
export const nyse: Calendar = Object.freeze({
  name: 'nyse',
  alwaysOpen: false,
  isOpen: (openTime, timeframe) => {
    requireDaily(timeframe);
    if (openTime % DAY_MS !== 0) return false;
    const day = openTime / DAY_MS;
    const index = indexOfDay(day);
    return index >= 0 && dayAt(index) === day;
  },
  indexOf: (openTime, timeframe) => {
    requireDaily(timeframe);
    return indexOfDay(Math.floor(openTime / DAY_MS));
  },
  openTimeAt: (index, timeframe) => {
    requireDaily(timeframe);
    return dayAt(index) * DAY_MS;
  },
  addBars: (openTime, bars, timeframe) => {
    requireDaily(timeframe);
    return dayAt(indexOfDay(Math.floor(openTime / DAY_MS)) + bars) * DAY_MS;
  },
  between: (from, to, timeframe) => {
    requireDaily(timeframe);
    const first = indexOfDay(Math.ceil(from / DAY_MS) - 1) + 1;
    const last = indexOfDay(Math.floor(to / DAY_MS));
    const out = new Float64Array(Math.max(0, last - first + 1));
    for (let i = 0; i < out.length; i++) out[i] = dayAt(first + i) * DAY_MS;
    return out;
  },
  closeTime: (openTime, timeframe) => {
    requireDaily(timeframe);
    return openTime + closeMinuteOf(Math.floor(openTime / DAY_MS)) * 60_000;
  },
  barsPerYear: (timeframe) => {
    requireDaily(timeframe);
    return 252;
  },
} satisfies Calendar);
