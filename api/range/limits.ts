import type { Timeframe } from '../../core/bars/bars.ts';
import type { Calendar } from '../../core/calendar/calendar.ts';
import { publicationCount, type PublicationRange } from '../../core/predict/index.ts';
import { ApiError } from '../errors.ts';

/** Sessions of one range: 22 years of hours, more than any exchange has had days. */
export const MAX_SESSIONS = 200_000;
/** Instruments of one range: as many as a cursor counts. */
export const MAX_INSTRUMENTS = 10_000;
/** Rows of one range, such as 5,000 instruments of 40 years of days: some hours of a worker. */
export const MAX_ROWS = 50_000_000;
/** Rows that one request streams; a range that is larger is handed in to a workflow. */
export const MAX_STREAMED_ROWS = 5_000_000;
/** Ranges that are open on this replica at once, apart from batches, and those of one key. */
export const MAX_RANGES = 8;
export const MAX_RANGES_OF_KEY = 4;
/** After so long without anything taken a stream is cut: its place is for others, and its reader goes on by the cursor. */
export const STALL_MS = 30_000;

const tooLarge = (message: string): ApiError =>
  new ApiError('unprocessable', 'range.too-large', message, {
    issues: [{ path: '/range', message }],
  });

/** Throws `range.too-large`, before anything is made that is as long as the range. */
export function checkSize(
  calendar: Calendar,
  timeframe: Timeframe,
  range: PublicationRange,
  instruments: number,
): void {
  const sessions = publicationCount(calendar, timeframe, range);
  if (instruments > MAX_INSTRUMENTS) {
    throw tooLarge(`A range has ${MAX_INSTRUMENTS} instruments at most, not ${instruments}.`);
  }
  if (sessions > MAX_SESSIONS) {
    const what = `${MAX_SESSIONS} sessions of ${timeframe} at most`;
    throw tooLarge(`A range has ${what}; ${calendar.name} has ${sessions} here: ask for a part.`);
  }
  if (sessions * instruments > MAX_ROWS) {
    const asked = `${instruments} instruments of ${sessions} sessions`;
    throw tooLarge(`A range has ${MAX_ROWS} rows at most; ${asked} are more: ask for a part.`);
  }
}
