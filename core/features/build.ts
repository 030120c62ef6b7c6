import type { Bars } from '../bars/bars.ts';
import { barCount } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { indicatorInput } from '../indicators/index.ts';
import type { FeatureSet } from './feature-set.ts';
import type { FeatureMatrix } from './matrix.ts';

/** Rows transposed together: 64 x 152 doubles stay in a core's cache. */
const TILE_ROWS = 64;

/**
 * All columns of a set over some bars. A row depends on no later bar, and where the bars reach back to
 * the anchor of a row (see `barsNeeded`) it is the same bit for bit as from any longer history.
 * Throws `indicators.order` when the bars are not in order of time.
 */
export function buildFeatures(set: FeatureSet, bars: Bars, calendar: Calendar): FeatureMatrix {
  const rows = barCount(bars);
  const input = indicatorInput(bars, calendar);
  const columns = set.columns.map((column) => input.column(column.use));
  const values = new Float64Array(rows * columns.length);
  for (let from = 0; from < rows; from += TILE_ROWS) {
    const to = Math.min(rows, from + TILE_ROWS);
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c]!;
      for (let row = from, at = from * columns.length + c; row < to; row++, at += columns.length) {
        values[at] = column[row]!;
      }
    }
  }
  return {
    names: set.names,
    rows,
    openTime: bars.openTime,
    values,
    firstWarmRow: Math.min(rows, set.warmupBars),
  };
}
