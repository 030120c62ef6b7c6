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
    positions.run((from, to) => {
      let monthStart = NaN;
      let nextMonth = NaN;
      let number = 0;
      for (let t = from; t < to; t++) {
        const time = openTime[t]!;
        if (!(time >= monthStart && time < nextMonth)) {
          const date = new Date(time);
          number = date.getUTCMonth() + 1;
          monthStart = Date.UTC(date.getUTCFullYear(), number - 1, 1);
          nextMonth = Date.UTC(date.getUTCFullYear(), number, 1);
        }
        // 1970-01-01 was a Thursday.
        dates.weekday[t] = (((Math.floor(time / DAY_MS) + 3) % 7) + 7) % 7;
        dates.month[t] = number;
        dates.day[t] = Math.floor((time - monthStart) / DAY_MS) + 1;
        dates.daysInMonth[t] = (nextMonth - monthStart) / DAY_MS;
      }
    });
    return dates;
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
      [openTime],
      (out, [openTime], from, to) => {
        let passed = NaN;
        let value = NaN;
        for (let t = from; t < to; t++) {
          const since = openTime[t]! - openTime[t - 1]!;
          // Most bars are as far apart as those before them.
          if (since !== passed) value = Math.log(since / DAY_MS);
          passed = since;
          out[t] = value;
        }
      },
      1,
    ),
});
