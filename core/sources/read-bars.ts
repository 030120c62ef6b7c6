import type { FactorRow } from '../bars/adjust.ts';
import { BAR_COLUMNS, barCount, type Bars, type Timeframe } from '../bars/bars.ts';
import { derivedValue, sortBars } from '../bars/build.ts';
import { isoTime } from '../calendar/day.ts';
import { SourceError } from './errors.ts';
import { factorsFromEvents, type CorporateEvent } from './factors.ts';
import type { Profile } from './profile.ts';
import { columnPosition, parseTable, type Table } from './table.ts';
import { timeReader, type TimeReader } from './time.ts';
import { decodeText, unpack } from './unpack.ts';

export interface ReadResult {
  readonly bars: Bars;
  /** From dividend and split columns, where the prices do not contain them. */
  readonly factors: readonly FactorRow[];
  readonly notes: readonly string[];
}

const BLANKS = new Set(['', 'null', 'nan', 'n/a', 'na', 'none', '-']);

/**
 * Bars of a file, sorted by time; repeated equal rows count once.
 * Errors, each with the line: `source.time`, `source.number`, `source.blank`, `source.duplicates`;
 * `source.columns` where a named column is not there.
 */
export function readBars(
  bytes: Uint8Array,
  fileName: string,
  profile: Profile,
  request: { readonly instrument: string; readonly timeframe: Timeframe },
): ReadResult {
  const text = decodeText(unpack(bytes, fileName), fileName);
  return barsOfTable(parseTable(text, fileName, profile), fileName, profile, request);
}

export function barsOfTable(
  table: Table,
  fileName: string,
  profile: Profile,
  request: { readonly instrument: string; readonly timeframe: Timeframe },
): ReadResult {
  const read = readColumns(table, fileName, profile, request.timeframe);
  const notes: string[] = [];
  if (read.skipped > 0) notes.push(`${fileName}: ${read.skipped} rows without prices left out`);
  const value = read.columns.value ?? derivedValue(read.columns);
  const unsorted: Bars = {
    ...request,
    openTime: read.openTime,
    ...read.columns,
    value,
    valueDerived: read.columns.value === undefined,
  };
  const duplicates = checkDuplicates(unsorted, read.lines, table, fileName);
  if (duplicates > 0) notes.push(`${fileName}: ${duplicates} repeated equal rows left out`);
  const bars = sortBars(unsorted, { unique: true });
  if (bars !== unsorted && duplicates === 0) notes.push(`${fileName}: rows sorted by time`);
  const factors = factorsFromEvents(bars, eventsBeyond(read.events, profile.adjusted));
  return { bars, factors, notes };
}

/** The dividends and splits that the prices do not contain yet. */
function eventsBeyond(
  events: readonly CorporateEvent[],
  adjusted: Profile['adjusted'],
): CorporateEvent[] {
  if (adjusted === 'all') return [];
  return events.map((event) => (adjusted === 'splits' ? { ...event, split: 1 } : event));
}

interface ReadColumns {
  readonly openTime: Float64Array;
  readonly columns: {
    readonly open: Float64Array;
    readonly high: Float64Array;
    readonly low: Float64Array;
    readonly close: Float64Array;
    readonly volume: Float64Array;
    readonly value?: Float64Array;
  };
  readonly events: readonly CorporateEvent[];
  /** Row of the table by position. */
  readonly lines: Int32Array;
  readonly skipped: number;
}

function readColumns(
  table: Table,
  fileName: string,
  profile: Profile,
  timeframe: Timeframe,
): ReadColumns {
  const at = columnPositions(table, fileName, profile.columns);
  const cells = new Cells(table, fileName, profile, timeframe);
  const scalePrice = scaling(profile.priceScale);
  const scaleVolume = scaling(profile.volumeScale);
  const n = table.rows.length;
  const openTime = new Float64Array(n);
  const lines = new Int32Array(n);
  const out = Object.fromEntries(BAR_COLUMNS.map((c) => [c, new Float64Array(n)])) as Record<
    (typeof BAR_COLUMNS)[number],
    Float64Array
  >;
  const events: CorporateEvent[] = [];
  let rows = 0;
  for (let i = 0; i < n; i++) {
    const time = cells.time(i, at.time);
    const open = scalePrice(cells.number(i, at.open, 'open'));
    const high = scalePrice(cells.number(i, at.high, 'high'));
    const low = scalePrice(cells.number(i, at.low, 'low'));
    const close = scalePrice(cells.number(i, at.close, 'close'));
    if (Number.isNaN(open + high + low + close)) {
      if (profile.blank === 'refuse') throw cells.error(i, 'blank', 'a price is blank');
      continue;
    }
    if (profile.zeroPrice === 'skip' && Math.min(open, high, low, close) === 0) continue;
    openTime[rows] = time;
    lines[rows] = i;
    out.open[rows] = open;
    out.high[rows] = high;
    out.low[rows] = low;
    out.close[rows] = close;
    // A blank volume is a bar in which no trade was recorded.
    out.volume[rows] = scaleVolume(cells.number(i, at.volume, 'volume') || 0);
    out.value[rows] = cells.number(i, at.value, 'value') || 0;
    const dividend = cells.number(i, at.dividend, 'dividend') || 0;
    const split = cells.number(i, at.split, 'split') || 1;
    if (dividend !== 0 || split !== 1) events.push({ time, dividend, split });
    rows++;
  }
  const cut = (column: Float64Array): Float64Array => column.slice(0, rows);
  const { open, high, low, close, volume, value } = out;
  return {
    openTime: cut(openTime),
    columns: {
      ...{ open: cut(open), high: cut(high), low: cut(low), close: cut(close) },
      volume: cut(volume),
      ...(at.value !== undefined && { value: cut(value) }),
    },
    events,
    lines: lines.slice(0, rows),
    skipped: n - rows,
  };
}

/** The cells of a table as times and numbers; what they are not is an error with its line. */
class Cells {
  readonly #table: Table;
  readonly #fileName: string;
  readonly #format: string;
  readonly #readTime: TimeReader;
  readonly #readNumber: (text: string) => number | undefined;

  constructor(table: Table, fileName: string, profile: Profile, timeframe: Timeframe) {
    this.#table = table;
    this.#fileName = fileName;
    this.#format = profile.time.format;
    this.#readTime = timeReader(profile.time, timeframe);
    this.#readNumber = numberReader(profile.decimal);
  }

  /** NaN for a blank cell, 0 where the file has no such column. */
  number(row: number, column: number | undefined, what: string): number {
    if (column === undefined) return 0;
    const text = this.#table.rows[row]![column] ?? '';
    const x = this.#readNumber(text);
    if (x !== undefined) return x;
    throw this.error(row, 'number', `${what} is not a number: ${shown(text)}`);
  }

  time(row: number, column: number): number {
    const text = this.#table.rows[row]![column] ?? '';
    const time = this.#readTime(text);
    if (time !== undefined) return time;
    throw this.error(row, 'time', `${shown(text)} is not a time of format ${this.#format}`);
  }

  error(row: number, code: string, what: string): SourceError {
    const line = this.#table.lineOf(row);
    return new SourceError(`source.${code}`, `${this.#fileName}, line ${line}: ${what}`);
  }
}

/** A cell in a message: quoted, and not longer than a line. */
const shown = (text: string): string => JSON.stringify(text.slice(0, 60));

type Positions = Record<'time' | 'open' | 'high' | 'low' | 'close', number> &
  Partial<Record<'volume' | 'value' | 'dividend' | 'split', number>>;

function columnPositions(table: Table, fileName: string, columns: Profile['columns']): Positions {
  const positions: Record<string, number> = {};
  for (const [what, ref] of Object.entries(columns)) {
    if (ref !== undefined) positions[what] = columnPosition(table, fileName, what, ref);
  }
  return positions as Positions;
}

/** Multiplies; by 1/n it divides by n, which gives the number that was meant (180600 x 0.0001 does not). */
function scaling(scale: number): (x: number) => number {
  const divisor = Math.round(1 / scale);
  if (scale < 1 && Math.abs(1 / scale - divisor) < 1e-9 * divisor) return (x) => x / divisor;
  return (x) => x * scale;
}

/** NaN for a blank cell, undefined for what is no number. */
function numberReader(decimal: '.' | ','): (text: string) => number | undefined {
  const strict = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  return (text) => {
    const plain = decimal === ',' ? text.replace(',', '.') : text;
    if (strict.test(plain)) return Number(plain);
    return BLANKS.has(plain.toLowerCase()) ? Number.NaN : undefined;
  };
}

/** Counts repeated equal rows; throws where two rows of one open time differ. */
function checkDuplicates(bars: Bars, lines: Int32Array, table: Table, fileName: string): number {
  const seen = new Map<number, number>();
  let equal = 0;
  for (let i = 0; i < barCount(bars); i++) {
    const time = bars.openTime[i]!;
    const first = seen.get(time);
    if (first === undefined) {
      seen.set(time, i);
      continue;
    }
    if (BAR_COLUMNS.every((column) => bars[column][first] === bars[column][i])) {
      equal++;
      continue;
    }
    const [a, b] = [table.lineOf(lines[first]!), table.lineOf(lines[i]!)];
    throw new SourceError(
      'source.duplicates',
      `${fileName}, lines ${a} and ${b}: two different ${bars.timeframe} bars open at ` +
        `${isoTime(time)}; is the timeframe right?`,
    );
  }
  return equal;
}
