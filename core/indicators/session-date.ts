import { z } from 'zod';
import { defineIndicator, type IndicatorInput } from './indicator.ts';

const DAY_MS = 86_400_000;

interface SessionDate {
  /** Monday 0 .. Sunday 6. */
  readonly weekday: number;
  /** 1..12. */
  readonly month: number;
  /** 1..31. */
  readonly day: number;
  readonly daysInMonth: number;
}

const outputs = {
  weekdaySin: ({ weekday }: SessionDate) => Math.sin((2 * Math.PI * weekday) / 7),
  weekdayCos: ({ weekday }: SessionDate) => Math.cos((2 * Math.PI * weekday) / 7),
  monthSin: ({ month }: SessionDate) => Math.sin((2 * Math.PI * (month - 1)) / 12),
  monthCos: ({ month }: SessionDate) => Math.cos((2 * Math.PI * (month - 1)) / 12),
  monthProgress: ({ day, daysInMonth }: SessionDate) => (day - 1) / (daysInMonth - 1),
  turnOfMonth: ({ day, daysInMonth }: SessionDate) => Number(day <= 3 || day >= daysInMonth - 2),
  quarterEndMonth: ({ month }: SessionDate) => Number(month % 3 === 0),
} as const;

const sessionDates = (input: IndicatorInput): readonly SessionDate[] =>
  input.share('session dates', () =>
    Array.from(input.openTime, (time) => {
      const date = new Date(time);
      const month = date.getUTCMonth();
      return {
        weekday: (date.getUTCDay() + 6) % 7,
        month: month + 1,
        day: date.getUTCDate(),
        daysInMonth: new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate(),
      };
    }),
  );

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
  compute: (input, { output }) => Float64Array.from(sessionDates(input), outputs[output]),
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
