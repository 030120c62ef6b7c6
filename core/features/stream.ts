import type { Bars, Timeframe } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { growingInput } from '../indicators/index.ts';
import type { FeatureSet } from './feature-set.ts';

/** Rows best added together: what some columns leave in a core's cache, others find there, and so does what writes them. */
export const CHUNK_ROWS = 512;

/** The columns of a set over bars that are added, row by row or many at a time: a row costs the same. */
export interface FeatureStream {
  readonly capacity: number;
  /** Bars added so far. */
  readonly rows: number;
  /**
   * Where bars begin that are bit for bit the last ones there are, as far as those go: the row of their first, and how many
   * there are of them. undefined: they are others.
   */
  find(bars: Bars): { readonly row: number; readonly count: number } | undefined;
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
    find: input.find,
    add: input.add,
    write(rows, values, at) {
      transpose(columns, [input.rows - rows, input.rows], values, at);
    },
    clear: () => input.clear(),
  };
}

/** Columns written together: a cache line of the row-major rows. */
const TOGETHER = 8;
/** Rows written together: what they take stays in a core's nearest cache. */
const TILE_ROWS = 32;

/** Writes the rows `from`..`to - 1` of columns, row-major, from place `at` on. */
function transpose(
  columns: readonly Float64Array[],
  [from, to]: readonly [from: number, to: number],
  values: Float64Array,
  at: number,
): void {
  const width = columns.length;
  const whole = width - (width % TOGETHER);
  for (let row = from; row < to; row += TILE_ROWS) {
    const rows = [row, Math.min(to, row + TILE_ROWS)] as const;
    const place = at + (row - from) * width;
    for (let c = 0; c < whole; c += TOGETHER) writeEight(columns, c, rows, values, place + c);
    for (let c = whole; c < width; c++) writeOne(columns[c]!, width, rows, values, place + c);
  }
}

function writeEight(
  columns: readonly Float64Array[],
  first: number,
  [from, to]: readonly [from: number, to: number],
  values: Float64Array,
  at: number,
): void {
  const width = columns.length;
  const a = columns[first]!;
  const b = columns[first + 1]!;
  const c = columns[first + 2]!;
  const d = columns[first + 3]!;
  const e = columns[first + 4]!;
  const f = columns[first + 5]!;
  const g = columns[first + 6]!;
  const h = columns[first + 7]!;
  for (let row = from, place = at; row < to; row++, place += width) {
    values[place] = a[row]!;
    values[place + 1] = b[row]!;
    values[place + 2] = c[row]!;
    values[place + 3] = d[row]!;
    values[place + 4] = e[row]!;
    values[place + 5] = f[row]!;
    values[place + 6] = g[row]!;
    values[place + 7] = h[row]!;
  }
}

function writeOne(
  column: Float64Array,
  width: number,
  [from, to]: readonly [from: number, to: number],
  values: Float64Array,
  at: number,
): void {
  for (let row = from, place = at; row < to; row++, place += width) values[place] = column[row]!;
}
