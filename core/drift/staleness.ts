import type { Timeframe } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import type { Staleness } from './schemas.ts';

export interface StalenessInput {
  /** Open time of the newest bar, ms UTC. */
  readonly newestBar: number;
  /** Market time of the report, ms UTC. */
  readonly asOf: number;
  /** End of the last label that the model learnt from, ms UTC; null: not on record, so its age is not judged. */
  readonly trainedThrough: number | null;
  readonly calendar: Calendar;
  readonly timeframe: Timeframe;
  /** Bars that data may be late. */
  readonly expiresAfter: number;
  /** Sessions that a model may be old. */
  readonly maxAge: number;
}

/**
 * How late the data are and how old the model is, by the calendar: weekends and holidays age nothing. Never negative.
 * A model ages by bars that it could have learnt from: where the data ended, it is not stale for ever.
 */
export function staleness(input: StalenessInput): Staleness {
  const { newestBar, asOf, trainedThrough, calendar, timeframe, expiresAfter, maxAge } = input;
  const lagBars = Math.max(
    0,
    newestCompleteIndex(calendar, asOf, timeframe) - calendar.indexOf(newestBar, timeframe),
  );
  const known = Math.min(asOf, newestBar);
  const ageSessions =
    trainedThrough === null
      ? null
      : Math.max(0, calendar.indexOf(known, '1d') - calendar.indexOf(trainedThrough, '1d'));
  return {
    newestBar: new Date(newestBar).toISOString(),
    asOf: new Date(asOf).toISOString(),
    lagBars,
    expiresAfter,
    dataStale: lagBars > expiresAfter,
    trainedThrough: trainedThrough === null ? null : new Date(trainedThrough).toISOString(),
    ageSessions,
    maxAge,
    modelStale: ageSessions !== null && ageSessions > maxAge,
  };
}

/** Position of the last bar that is complete at `asOf`. */
function newestCompleteIndex(calendar: Calendar, asOf: number, timeframe: Timeframe): number {
  const index = calendar.indexOf(asOf, timeframe);
  const opened = calendar.openTimeAt(index, timeframe);
  return calendar.closeTime(opened, timeframe) <= asOf ? index : index - 1;
}
