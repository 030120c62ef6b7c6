import { z } from 'zod';
import { defineIndicator, type IndicatorInput } from './indicator.ts';

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
const circle = (f: (angle: number) => number, steps: number): number[] =>
  Array.from({ length: steps }, (_, i) => f((2 * Math.PI * i) / steps));
const weekdaySin = circle(Math.sin, 7);
const weekdayCos = circle(Math.cos, 7);
const monthSin = circle(Math.sin, 12);
const monthCos = circle(Math.cos, 12);

const outputs = {
  weekdaySin: (d: SessionDates, t: number) => weekdaySin[d.weekday[t]!]!,
  weekdayCos: (d: SessionDates, t: number) => weekdayCos[d.weekday[t]!]!,
  monthSin: (d: SessionDates, t: number) => monthSin[d.month[t]! - 1]!,
  monthCos: (d: SessionDates, t: number) => monthCos[d.month[t]! - 1]!,
  monthProgress: (d: SessionDates, t: number) => (d.day[t]! - 1) / (d.daysInMonth[t]! - 1),
  turnOfMonth: (d: SessionDates, t: number) =>
    Number(d.day[t]! <= 3 || d.day[t]! >= d.daysInMonth[t]! - 2),
  quarterEndMonth: (d: SessionDates, t: number) => Number(d.month[t]! % 3 === 0),
} as const;

const sessionDates = (input: IndicatorInput): SessionDates =>
  input.share('session dates', () => {
    const { rows, openTime } = input;
    const [weekday, month, day, daysInMonth] = [0, 1, 2, 3].map(() => new Uint8Array(rows));
    let monthStart = NaN;
    let nextMonth = NaN;
    let number = 0;
    for (let t = 0; t < rows; t++) {
      const time = openTime[t]!;
      if (!(time >= monthStart && time < nextMonth)) {
        const date = new Date(time);
        number = date.getUTCMonth() + 1;
        monthStart = Date.UTC(date.getUTCFullYear(), number - 1, 1);
        nextMonth = Date.UTC(date.getUTCFullYear(), number, 1);
      }
      // 1970-01-01 was a Thursday.
      weekday![t] = (((Math.floor(time / DAY_MS) + 3) % 7) + 7) % 7;
      month![t] = number;
      day![t] = Math.floor((time - monthStart) / DAY_MS) + 1;
      daysInMonth![t] = (nextMonth - monthStart) / DAY_MS;
    }
    return { weekday: weekday!, month: month!, day: day!, daysInMonth: daysInMonth! };
  });

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
  compute: (input, { output }) => {
    const dates = sessionDates(input);
    const valueOf = outputs[output];
    const out = new Float64Array(input.rows);
    for (let t = 0; t < out.length; t++) out[t] = valueOf(dates, t);
    return out;
  },
});

/** Log of the days since the bar before: 0 on consecutive days. */
export const daysSinceBar = defineIndicator({
  name: 'daysSinceBar',
  docs: 'ln(days since the bar before)',
  params: z.strictObject({}),
  examples: [],
  warmupBars: () => 1,
  memoryBars: () => 1,
  compute: ({ rows, openTime }) => {
    const out = new Float64Array(rows).fill(NaN);
    for (let t = 1; t < rows; t++) out[t] = Math.log((openTime[t]! - openTime[t - 1]!) / DAY_MS);
    return out;
  },
});
