import { TIMEFRAMES, type Timeframe } from '../bars/index.ts';
import { calendarFor } from '../calendar/index.ts';
import { publicationsOf } from '../predict/index.ts';
import { z } from 'zod';
import type { RangeIdentity } from './cursor.ts';

export interface RangeShape {
  readonly horizons: readonly number[];
  /** In output order; empty of a quantity. */
  readonly classes: readonly string[];
}

/** A question of many instants, understood: all that its rows follow from, beside what is stored of the past. */
export interface RangeFacts extends RangeIdentity {
  readonly model: string;
  readonly instruments: readonly string[];
  /** By name, e.g. `nyse`. */
  readonly calendar: string;
  readonly timeframe: Timeframe;
  /** Open times of sessions, ms UTC, both included; `to` null: the newest that is known by `knownBy`. */
  readonly from: number;
  readonly to: number | null;
  /** From a bar's close to its publication. */
  readonly delayMs: number;
  /** Of the version that is asked, of `then` the champion of when it was asked: columns of what is not text. */
  readonly shape: RangeShape;
}

const whole = z.int();

/** Facts as they lie in the artifact store. */
export const rangeFactsSchema: z.ZodType<RangeFacts> = z.strictObject({
  version: whole.min(1).or(z.literal('then')),
  knownBy: whole,
  question: z.string(),
  model: z.string(),
  instruments: z.array(z.string()).min(1),
  calendar: z.string(),
  timeframe: z.enum(TIMEFRAMES),
  from: whole,
  to: whole.nullable(),
  delayMs: z.number().min(0),
  shape: z.strictObject({ horizons: z.array(whole.min(1)), classes: z.array(z.string()) }),
});

/** When the bar of each session is known, ms UTC, ascending: the instants that each instrument is asked about. */
export function instantsOf({
  calendar,
  timeframe,
  from,
  to,
  knownBy,
  delayMs,
}: Omit<RangeFacts, keyof RangeIdentity | 'shape' | 'model' | 'instruments'> &
  Pick<RangeIdentity, 'knownBy'>): Float64Array {
  const range = { from, to: to ?? Infinity, now: knownBy };
  return publicationsOf(calendarFor(calendar), timeframe, range, delayMs).known;
}
