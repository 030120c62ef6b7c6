import { BAR_COLUMNS, barCount, type Bars, type Timeframe } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { anchorRow } from './anchors.ts';
import type { IndicatorInput, IndicatorUse } from './indicator.ts';

import {
  barPositions,
  type BarPositions,
  type ColumnStore,
  growingPositions,
  type GrowingPositions,
} from './positions.ts';
import { plainRowWriter, type RowWriter, rowWriter } from './row-major.ts';
import type { NewColumn } from '../spare-columns.ts';
import { type ColumnMemory, columnMemoryIfAny, ROW_BYTES } from '../wasm.ts';

type Columns = Pick<
  Bars,
  'openTime' | 'open' | 'high' | 'low' | 'close' | 'volume' | 'value' | 'exogenous'
>;

/**
 * The input of indicators over some bars; remembers every column and intermediate it has made. `column`: where columns
 * are put.
 */
export function indicatorInput(bars: Bars, calendar: Calendar, column?: NewColumn): IndicatorInput {
  const store = column && { newColumn: () => column(barCount(bars)) };
  return inputOf(bars, barPositions(bars.openTime, calendar, bars.timeframe, store));
}

function inputOf(
  bars: Columns,
  positions: BarPositions,
  compute = (use: IndicatorUse, input: IndicatorInput) => use.compute(input),
): IndicatorInput {
  const made = new Map<string, unknown>();
  const share = <T>(key: string, make: () => T): T => {
    // A key is used by one maker only, which fixes its type.
    if (!made.has(key)) made.set(key, make());
    return made.get(key) as T;
  };
  const input: IndicatorInput = {
    get rows() {
      return positions.rows;
    },
    openTime: bars.openTime,
    open: bars.open,
    high: bars.high,
    low: bars.low,
    close: bars.close,
    volume: bars.volume,
    value: bars.value,
    exogenous: bars.exogenous ?? {},
    positions,
    column: (use: IndicatorUse) => share(use.key, () => compute(use, input)),
    share,
  };
  return input;
}

/** What a growing input is for. */
export interface InputShape {
  /** Bars that it has room for. */
  readonly capacity: number;
  readonly calendar: Calendar;
  readonly timeframe: Timeframe;
  /** Columns of exogenous sources that bars may bring. */
  readonly exogenous: readonly string[];
}

/**
 * Columns of indicators over bars that are added; they have room for all, and values for the bars
 * there are.
 */
export interface GrowingInput {
  /**
   * Writes the rows `from`..`to - 1` of the uses' columns, in their order, row-major, from place
   * `at` of `values` on.
   */
  readonly write: RowWriter;
  /** Bars that there are. */
  readonly rows: number;
  /**
   * Where bars begin that are bit for bit the last ones there are, as far as those go: the row of
   * their first, and how many there are of them. undefined: they are others.
   */
  find(bars: Bars): { readonly row: number; readonly count: number } | undefined;
  /** Is there an anchor after row `from`, and at or before `row`, which is one of those there are? */
  anchored(from: number, row: number): boolean;
  /** Adds the bars `from`..`to - 1`, later than those before; throws `indicators.order`. */
  add(bars: Bars, from: number, to: number): void;
  /** Begins anew, without bars. */
  clear(): void;
}

/**
 * Columns lie some cache lines further apart than their rows take, or those of one row would meet
 * in one cache set.
 */
const LINE_ROWS = 8;
const strideOf = (capacity: number): number =>
  (Math.ceil(capacity / LINE_ROWS) + 3) * LINE_ROWS * ROW_BYTES;

/** Rows that are written together: what they take stays in a core's cache. */
const TILE_ROWS = 64;

/**
 * An input that bars are added to, and the columns of `uses` over them: all in one memory or, where
 * the process may not have it, each somewhere; values are the same bit for bit, and take longer.
 */
export function growingInput(
  shape: InputShape,
  uses: readonly IndicatorUse[],
  memoryOf: (bytes: number) => ColumnMemory | undefined = columnMemoryIfAny,
): GrowingInput {
  const { capacity } = shape;
  let columns = 0;
  const counted = { newColumn: () => (columns++, new Float64Array(0)) };
  // Nothing is computed without bars: this says how many columns there are, so that one memory has
  // room for them.
  laidOut({ ...shape, capacity: 0 }, uses, counted, () => () => undefined);
  const stride = strideOf(capacity);
  const tileRows = TILE_ROWS * uses.length;
  const memory = memoryOf(columns * stride + tileRows * ROW_BYTES);
  if (memory === undefined) {
    const anywhere = { newColumn: () => new Float64Array(capacity) };
    return laidOut(shape, uses, anywhere, plainRowWriter);
  }
  const tile = new Float64Array(memory.buffer, columns * stride, tileRows);
  let used = 0;
  const newColumn = () => new Float64Array(memory.buffer, stride * used++, capacity);
  return laidOut(shape, uses, { memory, newColumn }, (made) => rowWriter(made, memory, tile));
}

function laidOut(
  { capacity, calendar, timeframe, exogenous }: InputShape,
  uses: readonly IndicatorUse[],
  store: ColumnStore,
  writerOf: (columns: readonly Float64Array[]) => RowWriter,
): GrowingInput {
  const positions = growingPositions(capacity, calendar, timeframe, store);
  const bars = {
    openTime: positions.column(),
    open: positions.column(),
    high: positions.column(),
    low: positions.column(),
    close: positions.column(),
    volume: positions.column(),
    value: positions.column(),
    exogenous: Object.fromEntries(exogenous.map((name) => [name, positions.column()])),
  };
  const input = inputOf(
    bars,
    positions,
    (use, of) =>
      positions.growing(() => use.compute(of)) ??
      recomputed(use, bars, positions, (openTime) => barPositions(openTime, calendar, timeframe)),
  );
  return {
    write: writerOf(uses.map((use) => input.column(use))),
    get rows() {
      return positions.rows;
    },
    find: (of) => foundIn(bars, positions.rows, of),
    anchored: (from, row) => row < positions.rows && anchorRow(positions, row, 0) > from,
    add: (from, first, end) => append(bars, positions, from, [first, end]),
    clear: () => positions.clear(),
  };
}

/**
 * The column of an indicator that makes one array of all rows instead of filling a column that grows: whenever rows
 * come, it is computed over all there are.
 */
function recomputed(
  use: IndicatorUse,
  bars: Columns,
  positions: GrowingPositions,
  positionsOf: (openTime: Float64Array) => BarPositions,
): Float64Array {
  const column = positions.column();
  positions.run((from, to) => {
    const rows = firstRows(bars, to);
    const whole = use.compute(inputOf(rows, positionsOf(rows.openTime)));
    column.set(whole.subarray(from, to), from);
  });
  return column;
}

const firstRows = (bars: Columns, rows: number): Columns => ({
  openTime: bars.openTime.subarray(0, rows),
  open: bars.open.subarray(0, rows),
  high: bars.high.subarray(0, rows),
  low: bars.low.subarray(0, rows),
  close: bars.close.subarray(0, rows),
  volume: bars.volume.subarray(0, rows),
  value: bars.value.subarray(0, rows),
  exogenous: Object.fromEntries(
    Object.entries(bars.exogenous ?? {}).map(([name, of]) => [name, of.subarray(0, rows)]),
  ),
});

function foundIn(
  columns: Columns,
  rows: number,
  bars: Bars,
): { readonly row: number; readonly count: number } | undefined {
  const row = lowerBound(columns.openTime.subarray(0, rows), bars.openTime[0] ?? Infinity);
  const count = rows - row;
  if (count <= 0 || count > barCount(bars)) return undefined;
  const same = (known: Float64Array, given: Float64Array | undefined): boolean =>
    given === undefined
      ? known.subarray(row, rows).every(Number.isNaN)
      : Buffer.compare(bytesOf(known, row, count), bytesOf(given, 0, count)) === 0;
  const whole =
    same(columns.openTime, bars.openTime) &&
    BAR_COLUMNS.every((name) => same(columns[name], bars[name])) &&
    Object.entries(columns.exogenous ?? {}).every(([name, known]) =>
      same(known, bars.exogenous?.[name]),
    );
  return whole ? { row, count } : undefined;
}

const bytesOf = (column: Float64Array, from: number, count: number): Uint8Array =>
  new Uint8Array(column.buffer, column.byteOffset + from * ROW_BYTES, count * ROW_BYTES);

function append(
  columns: Columns,
  positions: GrowingPositions,
  bars: Bars,
  [from, to]: readonly [from: number, to: number],
): void {
  const { rows } = positions;
  columns.openTime.set(bars.openTime.subarray(from, to), rows);
  for (const name of BAR_COLUMNS) columns[name].set(bars[name].subarray(from, to), rows);
  for (const [name, column] of Object.entries(columns.exogenous ?? {})) {
    const known = bars.exogenous?.[name];
    if (known) column.set(known.subarray(from, to), rows);
    else column.fill(NaN, rows, rows + to - from);
  }
  positions.grow(columns.openTime, rows + to - from);
}
