import { CLOSE_GRACE_MS, type Timeframe } from '../bars/index.ts';
import type { Calendar } from '../calendar/calendar.ts';

/** Sessions of a range and when the bar of each is known: what a live system could ask at, and not before. */
export interface Publications {
  /** Open time of the session's bar, ms UTC. */
  readonly session: Float64Array;
  /** Its close, the time that it may still be corrected, and what its source takes to publish it. */
  readonly known: Float64Array;
}

/** Market time (ms UTC): sessions that open in [from, to], as far as they are known by `now`. */
export interface PublicationRange {
  readonly from: number;
  readonly to: number;
  readonly now: number;
}

/** As many as `publicationsOf` has, or a few more: those of now are counted before they are known. No list is made. */
export const publicationCount = (
  calendar: Calendar,
  timeframe: Timeframe,
  { from, to, now }: PublicationRange,
): number =>
  Math.max(
    0,
    calendar.indexOf(Math.min(to, now), timeframe) - calendar.indexOf(from - 1, timeframe),
  );

/**
 * The sessions that the calendar has in [from, to] (open times, ms UTC), whether they left a bar or not, as far as their
 * bars are known by `now`.
 */
export function publicationsOf(
  calendar: Calendar,
  timeframe: Timeframe,
  range: PublicationRange,
  delayMs: number,
): Publications {
  const all = calendar.between(range.from, Math.min(range.to, range.now), timeframe);
  const after = CLOSE_GRACE_MS[timeframe] + delayMs;
  const known = all.map((open) => calendar.closeTime(open, timeframe) + after);
  const end = known.findIndex((at) => at > range.now);
  return end < 0
    ? { session: all, known }
    : { session: all.subarray(0, end), known: known.subarray(0, end) };
}
