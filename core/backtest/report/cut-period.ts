/** A period that was asked for and has bars only for a part of it. */
import type { Bars } from '../../bars/bars.ts';
import { lowerBound } from '../../bars/build.ts';
import type { Calendar } from '../../calendar/calendar.ts';
import { listText, timeText } from './words.ts';

/** Days, both included; without `to` it ends with the newest bar. */
interface AskedPeriod {
  readonly from: string;
  readonly to?: string | undefined;
}

/**
 * Which part of a period has bars, where sessions at its start or its end have none: a sentence for all instruments of which
 * it is the same part. Those without any bar in it are told by `tradedIn`.
 */
export function cutPeriodWarnings(
  asked: AskedPeriod,
  instruments: readonly { readonly bars: Bars; readonly calendar: Calendar }[],
): readonly string[] {
  const cut = new Map<string, string[]>();
  for (const { bars, calendar } of instruments) {
    const part = partWithBars(asked, bars, calendar);
    if (part === undefined) continue;
    cut.set(part, [...(cut.get(part) ?? []), bars.instrument]);
  }
  const period = asked.to === undefined ? `from ${asked.from} on` : `${asked.from} to ${asked.to}`;
  return [...cut].map(
    ([part, names]) =>
      `The period asked for is ${period}; of ${listText(names)} there are bars from ${part} only, and the figures know no others.`,
  );
}

/** In words; undefined: all of it has bars, or none. */
function partWithBars(
  asked: AskedPeriod,
  { openTime, timeframe }: Bars,
  calendar: Calendar,
): string | undefined {
  const from = Date.parse(asked.from);
  const to = asked.to === undefined ? Infinity : Date.parse(`${asked.to}T23:59:59.999Z`);
  const [begin, end] = [lowerBound(openTime, from), lowerBound(openTime, to + 1)];
  if (begin >= end) return undefined;
  const [first, last] = [openTime[begin]!, openTime[end - 1]!];
  const isWhole =
    calendar.addBars(first, -1, timeframe) < from &&
    (to === Infinity || calendar.addBars(last, 1, timeframe) > to);
  return isWhole ? undefined : `${timeText(first)} to ${timeText(last)}`;
}
