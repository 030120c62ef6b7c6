import type { Bars, Timeframe } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { growingInput } from '../indicators/index.ts';
import type { FeatureSet } from './feature-set.ts';

/** Rows computed together: what some columns leave in a core's cache, others find there. */
const CHUNK_ROWS = 1024;

/** The columns of a set over bars that are added, row by row or many at a time: a row costs the same. */
export interface FeatureStream {
  readonly capacity: number;
  /** Bars added so far. */
  readonly rows: number;
  /** Adds the bars `from`..`to - 1`, later than all before, as many as there is room for; throws `indicators.order`. */
  add(bars: Bars, from: number, to: number): void;
  /** Writes the last `rows` rows, row-major, from place `at` of `values` on. */
  write(rows: number, values: Float64Array, at: number): void;
  /** Begins anew, without bars. */
  clear(): void;
}

/** A stream of a set's rows with room for `capacity` bars. */
export function featureStream(
  set: FeatureSet,
  capacity: number,
  calendar: Calendar,
  timeframe: Timeframe,
): FeatureStream {
  const exogenous = [...new Set(set.columns.flatMap(({ use }) => use.exogenous))];
  const uses = set.columns.map(({ use }) => use);
  const input = growingInput({ capacity, calendar, timeframe, exogenous }, uses);
  const { columns } = input;
  return {
    capacity,
    get rows() {
      return input.rows;
    },
    add(bars, from, to) {
      for (let at = from; at < to; at += CHUNK_ROWS) {
        input.add(bars, at, Math.min(to, at + CHUNK_ROWS));
      }
    },
    write(rows, values, at) {
      transpose(columns, input.rows - rows, input.rows, values, at);
    },
    clear: () => input.clear(),
  };
}

/** Columns written together: a cache line of the row-major rows. */
const TOGETHER = 8;

/** Writes the rows `from`..`to - 1` of columns, row-major, from place `at` on. */
function transpose(
  columns: readonly Float64Array[],
  from: number,
  to: number,
  values: Float64Array,
  at: number,
): void {
  const width = columns.length;
  let c = 0;
  for (; c + TOGETHER <= width; c += TOGETHER) {
    eight(columns.slice(c, c + TOGETHER), from, to, values, at + c, width);
  }
  for (; c < width; c++) {
    const column = columns[c]!;
    for (let row = from, place = at + c; row < to; row++, place += width) {
      values[place] = column[row]!;
    }
  }
}

function eight(
  columns: readonly Float64Array[],
  from: number,
  to: number,
  values: Float64Array,
  at: number,
  width: number,
): void {
  const [a, b, c, d, e, f, g, h] = columns;
  for (let row = from, place = at; row < to; row++, place += width) {
    values[place] = a![row]!;
    values[place + 1] = b![row]!;
    values[place + 2] = c![row]!;
    values[place + 3] = d![row]!;
    values[place + 4] = e![row]!;
    values[place + 5] = f![row]!;
    values[place + 6] = g![row]!;
    values[place + 7] = h![row]!;
  }
}
