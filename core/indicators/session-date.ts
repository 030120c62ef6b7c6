import { z } from 'zod';
import { defineIndicator, type IndicatorInput } from './indicator.ts';
import { type BarPositions, columnOf } from './positions.ts';

const DAY_MS = 86_400_000;

/** Dates of the bars, one array a part. */
interface SessionDates {
  /** Monday 0 .. Sunday 6. */
  readonly weekday: Uint8Array;
  /** 1..12. */
  readonly month: Uint8Array;
  /** 1..31. */
  readonly day: Uint8Array;
  readonly daysInMonth: Uint8Array;
}

/** One table per sine or cosine: a date has few values. */
const circle = (f: (angle: number) => number, steps: number): Float64Array =>
  Float64Array.from({ length: steps }, (_, i) => f((2 * Math.PI * i) / steps));
const fromJanuary = (table: Float64Array): Float64Array => Float64Array.of(NaN, ...table);
const weekdaySin = circle(Math.sin, 7);
const weekdayCos = circle(Math.cos, 7);
const monthSin = fromJanuary(circle(Math.sin, 12));
const monthCos = fromJanuary(circle(Math.cos, 12));
const quarterEnd = fromJanuary(Float64Array.from({ length: 12 }, (_, i) => Number(i % 3 === 2)));

const outputs = {
  weekdaySin: ({ weekday }: SessionDates, positions: BarPositions) =>
    lookedUp(weekdaySin, weekday, positions),
  weekdayCos: ({ weekday }: SessionDates, positions: BarPositions) =>
    lookedUp(weekdayCos, weekday, positions),
  monthSin: ({ month }: SessionDates, positions: BarPositions) =>
    lookedUp(monthSin, month, positions),
  monthCos: ({ month }: SessionDates, positions: BarPositions) =>
    lookedUp(monthCos, month, positions),
  monthProgress: ({ day, daysInMonth }: SessionDates, positions: BarPositions) =>
    columnOf(positions, [day, daysInMonth], (out, [day, daysInMonth], from, to) => {
      for (let t = from; t < to; t++) out[t] = (day[t]! - 1) / (daysInMonth[t]! - 1);
    }),
  turnOfMonth: ({ day, daysInMonth }: SessionDates, positions: BarPositions) =>
    columnOf(positions, [day, daysInMonth], (out, [day, daysInMonth], from, to) => {
      for (let t = from; t < to; t++) {
        out[t] = day[t]! <= 3 || day[t]! >= daysInMonth[t]! - 2 ? 1 : 0;
      }
    }),
  quarterEndMonth: ({ month }: SessionDates, positions: BarPositions) =>
    lookedUp(quarterEnd, month, positions),
} as const;

const lookedUp = (table: Float64Array, codes: Uint8Array, positions: BarPositions): Float64Array =>
  columnOf(positions, [table, codes], (out, [table, codes], from, to) => {
    for (let t = from; t < to; t++) out[t] = table[codes[t]!]!;
  });

const sessionDates = (input: IndicatorInput): SessionDates =>
  input.share('session dates', () => {
    const { openTime, positions } = input;
    const parts = (): Uint8Array => new Uint8Array(positions.capacity);
    const dates = { weekday: parts(), month: parts(), day: parts(), daysInMonth: parts() };
    let last: DateAt | undefined;
    positions.run((from, to) => {
      let date = last;
      for (let t = from; t < to; t++) {
        const time = openTime[t]!;
        if (date === undefined || !isAt(date, time)) date = dateAt(time, date);
        dates.weekday[t] = date.weekday;
        dates.month[t] = date.inMonth.month;
        dates.day[t] = date.day;
        dates.daysInMonth[t] = date.inMonth.days;
      }
      last = date;
    });
    return dates;
  });

/** A date, and the times in ms at which it and its month begin and end. */
interface DateAt {
  readonly start: number;
  readonly end: number;
  readonly weekday: number;
  readonly day: number;
  readonly inMonth: MonthAt;
}

interface MonthAt {
  readonly start: number;
  readonly end: number;
  readonly month: number;
  readonly days: number;
}

function monthAt(time: number): MonthAt {
  const date = new Date(time);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const [start, end] = [Date.UTC(year, month, 1), Date.UTC(year, month + 1, 1)];
  return { start, end, month: month + 1, days: (end - start) / DAY_MS };
}

const isAt = ({ start, end }: { readonly start: number; readonly end: number }, time: number) =>
  time >= start && time < end;

/** The date (UTC) at a time; `before`: another one. */
function dateAt(time: number, before?: DateAt): DateAt {
  const inMonth = before && isAt(before.inMonth, time) ? before.inMonth : monthAt(time);
  const days = Math.floor(time / DAY_MS);
  const start = days * DAY_MS;
  // 1970-01-01 was a Thursday.
  const weekday = (((days + 3) % 7) + 7) % 7;
  const day = Math.floor((time - inMonth.start) / DAY_MS) + 1;
  return { start, end: start + DAY_MS, weekday, day, inMonth };
}

/** Where the bar's date (UTC) lies in week, month and quarter. */
export const sessionDate = defineIndicator({
  name: 'sessionDate',
  docs: 'date of the bar: weekday (Monday 0) and month as sine and cosine, (day - 1) / (days - 1), turn of the month (day <= 3 or one of the last 3), month 3, 6, 9 or 12',
  params: z.strictObject({
    output: z
      .enum([
        'weekdaySin',
        'weekdayCos',
        'monthSin',
        'monthCos',
        'monthProgress',
        'turnOfMonth',
        'quarterEndMonth',
      ])
      .default('weekdaySin'),
  }),
  examples: [{ output: 'monthCos' }, { output: 'turnOfMonth' }, { output: 'quarterEndMonth' }],
  warmupBars: () => 0,
  memoryBars: () => 0,
  compute: (input, { output }) => outputs[output](sessionDates(input), input.positions),
});

/** Log of the days since the bar before: 0 on consecutive days. */
export const daysSinceBar = defineIndicator({
  name: 'daysSinceBar',
  docs: 'ln(days since the bar before)',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 1,
  memoryBars: () => 1,
  compute: ({ positions, openTime }) =>
    columnOf(
      positions,
      [openTime, { passed: NaN, value: NaN }],
      (out, [openTime, known], from, to) => {
        let { passed, value } = known;
        for (let t = from; t < to; t++) {
          const since = openTime[t]! - openTime[t - 1]!;
          // Most bars are as far apart as those before them.
          if (since !== passed) value = Math.log(since / DAY_MS);
          passed = since;
          out[t] = value;
        }
        Object.assign(known, { passed, value });
      },
      1,
    ),
});
