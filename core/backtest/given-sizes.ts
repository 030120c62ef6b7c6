/** Advice by bar: what a strategy's positions are multiplied by in a backtest. */
import { SIZE_MAX, SIZE_MIN } from '../advice/size.ts';
import { barCount, type Bars } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { RatchetError } from '../errors.ts';
import { instantsOf } from './instants.ts';

/** Advice that was given, as history keeps it. Times in ms UTC. */
export interface GivenAdvice {
  /** Open time of the bar that it was asked at the close of. */
  readonly asOf: number;
  readonly givenAt: number;
  /** 0.05..1. */
  readonly size: number;
}

/** Both endpoints take their time: as long as a request for advice may go on. */
const LATE_MS = 60_000;

export interface HistorySizes<A extends GivenAdvice> {
  readonly sizes: Float64Array;
  /** By bar; undefined: `otherwise` counts. */
  readonly given: readonly (A | undefined)[];
  /** Advice that came when the next bar had been open for longer than `LATE_MS`: its author may have known that bar. */
  readonly late: number;
}

/**
 * Sizes of the bars that advice was given for in time, the last one where there are several; `otherwise`
 * elsewhere. No language model is asked anything: one that learnt from later texts knows the past.
 */
export function sizesFromHistory<A extends GivenAdvice>(
  bars: Bars,
  calendar: Calendar,
  history: readonly A[],
  otherwise: Float64Array,
): HistorySizes<A> {
  const rows = barCount(bars);
  checkLength('otherwise', otherwise.length, rows);
  const { openAt } = instantsOf(bars, calendar);
  const rowOf = new Map(Array.from(bars.openTime, (time, t) => [time, t]));
  const sizes = otherwise.slice();
  const given = new Array<A | undefined>(rows).fill(undefined);
  let late = 0;
  for (const advice of history.toSorted((a, b) => a.givenAt - b.givenAt)) {
    const { asOf, givenAt, size } = advice;
    const row = rowOf.get(asOf);
    if (row === undefined) continue;
    if (givenAt > (openAt[row + 1] ?? Infinity) + LATE_MS) {
      late++;
      continue;
    }
    sizes[row] = size;
    given[row] = advice;
  }
  return { sizes, given, late };
}

/**
 * Positions times sizes, as new columns; NaN (no opinion) stays.
 * Errors: `advice.lengths`, `advice.size` for a size outside 0.05..1.
 */
export function sized(positions: Float64Array, sizes: Float64Array): Float64Array {
  checkLength('sizes', sizes.length, positions.length);
  const bad = sizes.findIndex((size) => !(size >= SIZE_MIN && size <= SIZE_MAX));
  if (bad >= 0) {
    throw new RatchetError(
      'advice.size',
      `size ${bad + 1} is ${sizes[bad]}, not from ${SIZE_MIN} to ${SIZE_MAX}`,
    );
  }
  return positions.map((position, t) => position * sizes[t]!);
}

function checkLength(name: string, length: number, rows: number): void {
  if (length === rows) return;
  throw new RatchetError('advice.lengths', `${rows} bars, but ${length} values of ${name}`);
}
