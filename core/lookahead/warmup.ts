import { barCount, sliceBars, type Bars } from '../bars/bars.ts';
import { RatchetError } from '../errors.ts';
import { columnsOf, type ColumnsOf } from './columns.ts';

/** Values that differ by less are the same: what rounding leaves of another order of sums. */
const TOLERANCE = 1e-9;

/**
 * By column: with how many bars of history, the bar itself included, a value no longer depends on older bars; null
 * where it still did at the last bar. Bars before each start are taken away, and the values compared with those of the
 * whole history from there to the end, within a relative `tolerance` or, where that is more, `sds` SDs (ddof 0) of the
 * column; the worst start counts.
 *
 * `starts`: rows that histories begin at, each within 1..bars - 1 (else `warmup.start`).
 */
export function warmupOf(
  of: ColumnsOf,
  bars: Bars,
  starts: readonly number[],
  { tolerance = TOLERANCE, sds = 0 }: { readonly tolerance?: number; readonly sds?: number } = {},
): Readonly<Record<string, number | null>> {
  const rows = barCount(bars);
  const whole = columnsOf(of, bars);
  const needed = new Map<string, number>(Object.keys(whole).map((column) => [column, 1]));
  const sizes = new Map(
    Object.entries(whole).map(([column, values]) => [column, sds > 0 ? sds * sdOf(values) : 0]),
  );
  for (const start of starts) {
    if (!(Number.isInteger(start) && start >= 1 && start < rows)) {
      throw new RatchetError('warmup.start', `start ${start} is not within 1..${rows - 1}`);
    }
    const part = columnsOf(of, sliceBars(bars, start));
    for (const [column, values] of Object.entries(whole)) {
      const allowed = { tolerance, size: sizes.get(column)! };
      const last = lastDifference(values.subarray(start), part[column], allowed);
      const bars = last === rows - start - 1 ? Infinity : last + 2;
      needed.set(column, Math.max(needed.get(column)!, bars));
    }
  }
  return Object.fromEntries(
    Array.from(needed, ([column, n]) => [column, Number.isFinite(n) ? n : null]),
  );
}

/** Differences that count as none: relative to the values, or absolute. */
interface Allowed {
  readonly tolerance: number;
  readonly size: number;
}

/** Row of the last value that differs; -1 where none does. */
function lastDifference(a: Float64Array, b: Float64Array | undefined, allowed: Allowed): number {
  for (let row = a.length - 1; row >= 0; row--) {
    if (!isNear(a[row]!, b?.[row] ?? NaN, allowed)) return row;
  }
  return -1;
}

const isNear = (a: number, b: number, { tolerance, size }: Allowed): boolean =>
  Object.is(a, b) ||
  (Number.isNaN(a) && Number.isNaN(b)) ||
  Math.abs(a - b) <= Math.max(size, tolerance * Math.max(Math.abs(a), Math.abs(b)));

/** SD (ddof 0) of the values there are; 0 where there are none. */
function sdOf(values: Float64Array): number {
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length === 0) return 0;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length);
}
