import { RatchetError } from '../errors.ts';
import { BAR_COLUMNS, barCount, type BarColumn, type Bars, type Timeframe } from './bars.ts';

/** One bar as an object, where few are handled at a time. `value` absent: derived from volume. */
export interface BarRow {
  readonly openTime: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly value?: number;
}

/** volume x (high + low + close) / 3, element by element: traded value where a source has none. */
export function derivedValue(bars: Pick<Bars, 'high' | 'low' | 'close' | 'volume'>): Float64Array {
  const { high, low, close, volume } = bars;
  const value = new Float64Array(close.length);
  for (let i = 0; i < value.length; i++) {
    value[i] = (volume[i]! * (high[i]! + low[i]! + close[i]!)) / 3;
  }
  return value;
}

/** Bars of rows in the order given (see `sortBars`). `value` counts only when every row has one. */
export function barsFromRows(
  instrument: string,
  timeframe: Timeframe,
  rows: readonly BarRow[],
): Bars {
  const column = (name: Exclude<keyof BarRow, 'value'>): Float64Array =>
    Float64Array.from(rows, (row) => row[name]);
  const prices = {
    open: column('open'),
    high: column('high'),
    low: column('low'),
    close: column('close'),
    volume: column('volume'),
  };
  const hasValue = rows.length > 0 && rows.every((row) => row.value !== undefined);
  return {
    instrument,
    timeframe,
    openTime: column('openTime'),
    ...prices,
    value: hasValue ? Float64Array.from(rows, (row) => row.value!) : derivedValue(prices),
    valueDerived: !hasValue,
  };
}

/** No bars at all. */
export const emptyBars = (instrument: string, timeframe: Timeframe): Bars =>
  barsFromRows(instrument, timeframe, []);

/** A copy of the bars at these positions, in this order. */
export function takeBars(bars: Bars, positions: ArrayLike<number>): Bars {
  const take = (from: Float64Array): Float64Array => {
    const out = new Float64Array(positions.length);
    for (let i = 0; i < out.length; i++) out[i] = from[positions[i]!]!;
    return out;
  };
  return mapColumns(bars, take, take(bars.openTime));
}

/** The same bars with every column (exogenous ones included) replaced by `map(column)`. */
export function mapColumns(
  bars: Bars,
  map: (column: Float64Array, name: string) => Float64Array,
  openTime: Float64Array = bars.openTime,
): Bars {
  const columns = Object.fromEntries(
    BAR_COLUMNS.map((name) => [name, map(bars[name], name)]),
  ) as Record<BarColumn, Float64Array>;
  const exogenous = bars.exogenous && {
    exogenous: Object.fromEntries(
      Object.entries(bars.exogenous).map(([name, column]) => [name, map(column, name)]),
    ),
  };
  return { ...bars, ...columns, openTime, ...exogenous };
}

/** Bars in order of time; the last of several rows with one open time wins where `unique`. */
export function sortBars(bars: Bars, options: { readonly unique: boolean }): Bars {
  const time = bars.openTime;
  let sorted = true;
  for (let i = 1; i < time.length && sorted; i++) sorted = time[i]! > time[i - 1]!;
  if (sorted) return bars;
  const order = Array.from(time.keys()).sort((a, b) => time[a]! - time[b]! || a - b);
  return takeBars(
    bars,
    options.unique ? order.filter((at, i) => time[order[i + 1] ?? -1] !== time[at]) : order,
  );
}

/** Bars with from <= openTime < to, by binary search; needs sorted bars. */
export function barsBetween(bars: Bars, from: number, to: number): Bars {
  const first = lowerBound(bars.openTime, from);
  const last = lowerBound(bars.openTime, to);
  return mapColumns(
    bars,
    (column) => column.subarray(first, last),
    bars.openTime.subarray(first, last),
  );
}

/** Position of the first element >= `value` in an ascending array; its length where there is none. */
export function lowerBound(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Bars of one instrument, one after the other; the pieces must not overlap in time. */
export function concatBars(pieces: readonly Bars[]): Bars {
  const first = pieces[0];
  if (!first) throw new RatchetError('bars.none', 'no bars to put together');
  if (pieces.length === 1) return first;
  const join = (pick: (bars: Bars) => Float64Array): Float64Array => {
    const out = new Float64Array(pieces.reduce((sum, piece) => sum + barCount(piece), 0));
    let at = 0;
    for (const piece of pieces) {
      out.set(pick(piece), at);
      at += barCount(piece);
    }
    return out;
  };
  const { exogenous: _, ...head } = first;
  return {
    ...head,
    openTime: join((b) => b.openTime),
    open: join((b) => b.open),
    high: join((b) => b.high),
    low: join((b) => b.low),
    close: join((b) => b.close),
    volume: join((b) => b.volume),
    value: join((b) => b.value),
    // An empty piece says nothing of where values come from.
    valueDerived: pieces.some((b) => b.valueDerived && barCount(b) > 0),
  };
}
