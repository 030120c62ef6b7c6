import { barCount, sliceBars, type Bars } from '../bars/bars.ts';
import { RatchetError } from '../errors.ts';
import { columnsOf, type ColumnsOf } from './columns.ts';
import { otherFutures } from './other-future.ts';

/** A column that reads bars it cannot know yet. */
export interface ChangedColumn {
  readonly column: string;
  /** Rows whose value differs when later bars are taken away, increasing. */
  readonly rows: readonly number[];
  /** Open times of those rows, ms UTC. */
  readonly openTimes: readonly number[];
  /** It reads at least so many bars ahead: from a row that changed to the first bar that was another. */
  readonly readsAhead: number;
  /** Where it changed most; a value that comes or goes is more than any. */
  readonly largest: { readonly row: number; readonly before: number; readonly after: number };
}

export interface LookaheadOptions {
  /** Bars that a value may look ahead by, such as a label's horizon; of all columns, or by column. Default: 0. */
  readonly aheadBars?: number | ((column: string) => number);
  /** Compare with other later bars too, not only with none (see `otherFutures`). Default: false. */
  readonly otherFutures?: boolean;
}

type Columns = Readonly<Record<string, Float64Array>>;

/**
 * Recomputes columns on truncated bars, and names each column and bar whose value changes: these looked ahead.
 * A column that is there for some lengths only changes in every row.
 *
 * `cuts`: numbers of leading bars that are kept, each within 1..bars - 1 (else `lookahead.cut`). Only a bar whose value
 * reads beyond a cut can be found by it, so several cuts find more than one. Values are compared bit for bit, NaN with NaN.
 */
export function lookaheadOf(
  of: ColumnsOf,
  bars: Bars,
  cuts: readonly number[],
  { aheadBars = 0, otherFutures: others = false }: LookaheadOptions = {},
): readonly ChangedColumn[] {
  const rows = barCount(bars);
  const allowed = typeof aheadBars === 'number' ? () => aheadBars : aheadBars;
  const whole = columnsOf(of, bars);
  const found = new Changes();
  for (const cut of cuts) {
    if (!(Number.isInteger(cut) && cut >= 1 && cut < rows)) {
      throw new RatchetError('lookahead.cut', `cut ${cut} is not within 1..${rows - 1}`);
    }
    for (const known of [sliceBars(bars, 0, cut), ...(others ? otherFutures(bars, cut) : [])]) {
      found.compare(whole, columnsOf(of, known), cut, allowed);
    }
  }
  return found.columns(bars);
}

/** What changed so far. */
class Changes {
  readonly #rows = new Map<string, Set<number>>();
  readonly #largest = new Map<string, ChangedColumn['largest']>();
  readonly #ahead = new Map<string, number>();

  compare(whole: Columns, part: Columns, cut: number, allowed: (column: string) => number): void {
    for (const column of new Set([...Object.keys(whole), ...Object.keys(part)])) {
      const [a, b] = [whole[column], part[column]];
      const to = cut - allowed(column);
      for (let row = 0; row < to; row++) {
        if (a && b && Object.is(a[row], b[row])) continue;
        this.#note(column, cut, { row, before: a?.[row] ?? NaN, after: b?.[row] ?? NaN });
      }
    }
  }

  #note(column: string, cut: number, change: ChangedColumn['largest']): void {
    const rows = this.#rows.get(column);
    if (rows) rows.add(change.row);
    else this.#rows.set(column, new Set([change.row]));
    this.#ahead.set(column, Math.max(cut - change.row, this.#ahead.get(column) ?? 0));
    const largest = this.#largest.get(column);
    if (!largest || sizeOf(change) > sizeOf(largest)) this.#largest.set(column, change);
  }

  columns(bars: Bars): readonly ChangedColumn[] {
    return Array.from(this.#rows, ([column, found]) => {
      const rows = [...found].sort((a, b) => a - b);
      return {
        column,
        rows,
        openTimes: rows.map((row) => bars.openTime[row]!),
        readsAhead: this.#ahead.get(column)!,
        largest: this.#largest.get(column)!,
      };
    });
  }
}

function sizeOf({ before, after }: ChangedColumn['largest']): number {
  const size = Math.abs(before - after);
  return Number.isNaN(size) ? Infinity : size;
}
