import type { Timeframe } from '../bars/bars.ts';
import { TIMEFRAME_MS } from '../bars/bars.ts';
import { DAY_MS } from '../calendar/day.ts';
import type { Profile, TimeFormat } from './profile.ts';

const MINUTE_MS = 60_000;
/** 1800-01-01 and 2200-01-01: a stamp outside is a wrong unit, not an early market. */
const EARLIEST_MS = -5_364_662_400_000;
const LATEST_MS = 7_258_118_400_000;

/** A stamp as written: a wall-clock time, and its offset where the text or the unit gives one. */
interface Stamp {
  /** Wall-clock ms, as if it were UTC. */
  readonly local: number;
  /** Minutes east of UTC; undefined: the profile's zone applies. */
  readonly offset: number | undefined;
}

/** Formats that count from 1970 in UTC and have no wall clock of their own. */
export const EPOCHS: ReadonlySet<TimeFormat> = new Set(['s', 'ms', 'us']);

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$/;
const SLASHED = /^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?$/;
const COMPACT = /^(\d{4})(\d{2})(\d{2})(?:[ T]?(\d{2}):?(\d{2})(?::?(\d{2}))?)?$/;
const INTEGER = /^-?\d{1,16}(?:\.0*)?$/;

const parsers: Readonly<Record<TimeFormat, (text: string) => Stamp | undefined>> = {
  iso: (text) => {
    const m = ISO.exec(text);
    if (!m) return undefined;
    const local = wallClock(m[1], m[2], m[3], m[4], m[5], m[6]);
    const fraction = m[7] ? Math.floor(Number(`0.${m[7]}`) * 1000) : 0;
    return local === undefined ? undefined : { local: local + fraction, offset: offsetOf(m[8]) };
  },
  'm/d/yyyy': (text) => slashed(text, 1, 2),
  'd/m/yyyy': (text) => slashed(text, 2, 1),
  yyyymmdd: (text) => {
    const m = COMPACT.exec(text);
    const local = m && wallClock(m[1], m[2], m[3], m[4], m[5], m[6]);
    return local === undefined || local === null ? undefined : { local, offset: undefined };
  },
  s: (text) => epoch(text, 1000),
  ms: (text) => epoch(text, 1),
  us: (text) => epoch(text, 0.001),
};

function slashed(text: string, month: number, day: number): Stamp | undefined {
  const m = SLASHED.exec(text);
  if (!m) return undefined;
  const local = wallClock(m[3], m[month], m[day], m[4], m[5], m[6]);
  return local === undefined ? undefined : { local, offset: undefined };
}

function epoch(text: string, unitMs: number): Stamp | undefined {
  return INTEGER.test(text) ? { local: Math.round(Number(text) * unitMs), offset: 0 } : undefined;
}

function wallClock(
  year?: string,
  month?: string,
  day?: string,
  hour = '0',
  minute = '0',
  second = '0',
): number | undefined {
  const [y, mo, d] = [Number(year), Number(month), Number(day)];
  const ms = Date.UTC(y, mo - 1, d);
  const date = new Date(ms);
  // Date.UTC turns February 30th into March 2nd: a date must come back as it was.
  if (date.getUTCMonth() !== mo - 1 || date.getUTCDate() !== d) return undefined;
  const [h, mi, s] = [Number(hour), Number(minute), Number(second)];
  if (h > 23 || mi > 59 || s > 59) return undefined;
  return ms + ((h * 60 + mi) * 60 + s) * 1000;
}

function offsetOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === 'Z' || text === 'UTC') return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + (text.length > 3 ? Number(text.slice(-2)) : 0);
  return text.startsWith('-') ? -minutes : minutes;
}

/** Minutes that a named zone is east of UTC, cached by hour: zones change on the hour. */
export function zoneOffsets(zone: string): (utc: number) => number {
  if (zone === 'UTC') return () => 0;
  const fixed = offsetOf(/^[+-]/.test(zone) ? zone : undefined);
  if (fixed !== undefined) return () => fixed;
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  const known = new Map<number, number>();
  return (utc) => {
    const hour = Math.floor(utc / 3_600_000);
    let offset = known.get(hour);
    if (offset === undefined) {
      const parts = format.formatToParts(hour * 3_600_000);
      const name = parts.find((p) => p.type === 'timeZoneName')!.value.slice(3);
      offset = name === '' ? 0 : offsetOf(name.slice(0, 6))!;
      known.set(hour, offset);
    }
    return offset;
  };
}

export type TimeReader = (text: string) => number | undefined;

/**
 * Reads the stamps of a profile as open times (ms UTC): a daily bar gets midnight UTC of its session
 * date in the stamp's own zone, an intraday bar the instant. undefined: not a time of that format.
 */
export function timeReader(profile: Profile['time'], timeframe: Timeframe): TimeReader {
  const parse = parsers[profile.format];
  const offsetAt = zoneOffsets(profile.zone);
  const daily = timeframe === '1d';
  const shift = profile.stamp === 'close' ? TIMEFRAME_MS[timeframe] : 0;
  const isEpoch = EPOCHS.has(profile.format);
  return (text) => {
    const stamp = parse(text);
    if (stamp === undefined) return undefined;
    const { local, offset } = stamp;
    if (!(local > EARLIEST_MS && local < LATEST_MS)) return undefined;
    if (daily) {
      const wall = isEpoch ? local + offsetAt(local) * MINUTE_MS : local;
      return Math.floor((wall - (shift > 0 ? 1 : 0)) / DAY_MS) * DAY_MS;
    }
    const utc =
      offset !== undefined
        ? local - offset * MINUTE_MS
        : local - offsetAt(local - offsetAt(local) * MINUTE_MS) * MINUTE_MS;
    return utc - shift;
  };
}
