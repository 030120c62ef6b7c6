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
  /** Is there an anchor after row `from`, and at or before `row`, which is one of those there are? */
  anchored(from: number, row: number): boolean;
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
  return {
    capacity,
    get rows() {
      return input.rows;
    },
    find: input.find,
    anchored: input.anchored,
    add: input.add,
    write(rows, values, at) {
      input.write([input.rows - rows, input.rows], values, at);
    },
    clear: () => input.clear(),
  };
}
