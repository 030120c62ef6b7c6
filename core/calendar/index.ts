import { RatchetError } from '../errors.ts';
import { alwaysOpen } from './always-open.ts';
import type { Calendar } from './calendar.ts';
import { nyse } from './nyse.ts';

/** The catalogue of calendars by name. */
export const calendars: ReadonlyMap<string, Calendar> = new Map(
  [nyse, alwaysOpen].map((calendar) => [calendar.name, calendar]),
);

/** The calendar with this name; throws `calendar.unknown`. */
export function calendarFor(name: string): Calendar {
  const calendar = calendars.get(name);
  if (calendar) return calendar;
  const known = [...calendars.keys()].join(', ');
  throw new RatchetError('calendar.unknown', `no calendar "${name}"; there are: ${known}`);
}
