import { barCount, sliceBars, type Bars } from '../bars/bars.ts';
import { RatchetError } from '../errors.ts';
import { columnsOf, type ColumnsOf } from './columns.ts';

/** A column that reads bars it cannot know yet. */
export interface ChangedColumn {
  readonly column: string;
  /** Rows whose value differs when later bars are taken away, increasing. */
  readonly rows: readonly number[];
  /** Open times of those rows, ms UTC. */
  readonly openTimes: readonly number[];
}

/**
 * Recomputes columns on truncated bars, and names each column and bar whose value changes: these looked ahead.
 * A column that is there for some lengths only changes in every row.
 *
 * `cuts`: numbers of leading bars that are kept, each within 1..bars - 1 (else `lookahead.cut`). Only a bar whose value
 * reads beyond a cut can be found by it, so several cuts find more than one. `aheadBars`: bars that a value may look
 * ahead by, such as a label's horizon (default 0). Values are compared bit for bit, NaN with NaN.
 */
export function lookaheadOf(
  of: ColumnsOf,
  bars: Bars,
  cuts: readonly number[],
  { aheadBars = 0 }: { readonly aheadBars?: number } = {},
): readonly ChangedColumn[] {
  const rows = barCount(bars);
  const whole = columnsOf(of, bars);
  const changed = new Map<string, Set<number>>();
  const note = (column: string, row: number): void => {
    const found = changed.get(column);
    if (found) found.add(row);
    else changed.set(column, new Set([row]));
  };
  for (const cut of cuts) {
    if (!(Number.isInteger(cut) && cut >= 1 && cut < rows)) {
      throw new RatchetError('lookahead.cut', `cut ${cut} is not within 1..${rows - 1}`);
    }
    const part = columnsOf(of, sliceBars(bars, 0, cut));
    for (const column of new Set([...Object.keys(whole), ...Object.keys(part)])) {
      const [a, b] = [whole[column], part[column]];
      for (let row = 0; row < cut - aheadBars; row++) {
        if (!a || !b || !Object.is(a[row], b[row])) note(column, row);
      }
    }
  }
  return Array.from(changed, ([column, found]) => {
    const sorted = [...found].sort((a, b) => a - b);
    return { column, rows: sorted, openTimes: sorted.map((row) => bars.openTime[row]!) };
  });
}
