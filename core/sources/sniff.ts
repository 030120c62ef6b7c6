import type { Timeframe } from '../bars/bars.ts';
import { SourceError } from './errors.ts';
import { profileSchema, TIME_FORMATS, type ProfileInput, type TimeFormat } from './profile.ts';
import { parseTable, type Table } from './table.ts';
import { timeReader, type TimeReader } from './time.ts';

export interface Sniffed {
  readonly profile: ProfileInput;
  readonly timeframe: Timeframe;
  /** Why each part of the profile was chosen, one sentence each. */
  readonly reasons: readonly string[];
}

type Column = keyof ProfileInput['columns'];

/** Names that vendors give a column, in lower case, best first. */
const ALIASES: Readonly<Record<Column, readonly string[]>> = {
  time: [
    'date',
    'timestamp',
    'datetime',
    'time',
    'open time',
    'open_time',
    'opentime',
    'candle_date_time_utc',
    'day',
    'price',
    '',
  ],
  open: ['open', 'o', 'opening_price', '<open>'],
  high: ['high', 'h', 'max', 'high_price', '<high>'],
  low: ['low', 'l', 'min', 'low_price', '<low>'],
  close: ['close', 'c', 'close/last', 'last', 'trade_price', '<close>'],
  volume: ['volume', 'vol', 'v', 'vol.', 'candle_acc_trade_volume', '<vol>'],
  value: ['value', 'turnover', 'quote_volume', 'quote asset volume', 'candle_acc_trade_price'],
  dividend: ['dividends', 'dividend'],
  split: ['stock splits', 'splits', 'split'],
};
const REQUIRED = ['time', 'open', 'high', 'low', 'close'] as const;
const DELIMITERS = [',', ';', '\t', '|'];
const MAX_HEAD_LINES = 20;
const SAMPLE_ROWS = 200;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Proposes a profile for the text of a file; throws `source.unknownFormat` naming what is missing. */
export function sniffProfile(text: string, name: string): Sniffed {
  const reasons: string[] = [];
  const lines = text.slice(0, 200_000).split(/\r?\n/, MAX_HEAD_LINES + 2);
  const delimiter = sniffDelimiter(lines);
  if (delimiter !== ',') reasons.push(`cells are separated by ${JSON.stringify(delimiter)}`);
  const split = (line: string): string[] =>
    line.split(delimiter).map((cell) => cell.trim().replace(/^"|"$/g, '').toLowerCase());
  const headerLine = lines.findIndex((line) => {
    const cells = split(line);
    return (['open', 'high', 'low', 'close'] as const).every((c) => findAlias(cells, c) >= 0);
  });
  const layout =
    headerLine >= 0
      ? namedLayout(split(lines[headerLine]!), name, reasons)
      : placedLayout(lines.map(split), name, reasons);
  if (headerLine > 0) reasons.push(`the header stands in line ${headerLine + 1}`);
  const skipLines = Math.max(headerLine, 0);
  const skipAfterHeader =
    headerLine < 0 ? 0 : countHeadLines(lines.slice(headerLine + 1).map(split), layout.time);
  if (skipAfterHeader > 0) reasons.push(`${skipAfterHeader} more header lines follow`);
  const table = parseTable(text, name, {
    delimiter,
    skipLines,
    header: headerLine >= 0,
    skipAfterHeader,
  });
  const stamps = sample(table.rows).map((row) => row[layout.time] ?? '');
  const time = sniffTime(stamps, table, layout.time, name, reasons);
  const timeframe = sniffTimeframe(stamps, time, reasons);
  const priceScale = headerLine < 0 ? sniffScale(table, reasons) : undefined;
  const decimal = sniffDecimal(table, layout.close, delimiter, reasons);
  const profile: ProfileInput = {
    ...(delimiter !== ',' && { delimiter }),
    ...(decimal === ',' && { decimal }),
    ...(skipLines > 0 && { skipLines }),
    ...(headerLine < 0 && { header: false }),
    ...(skipAfterHeader > 0 && { skipAfterHeader }),
    columns: layout.columns,
    ...(time !== 'iso' && { time: { format: time } }),
    ...(priceScale !== undefined && { priceScale }),
    ...(layout.columns.dividend !== undefined && { adjusted: 'all' as const }),
  };
  if (layout.columns.dividend !== undefined) {
    reasons.push('it has dividend or split columns: vendors that give them adjust the prices');
  }
  return { profile: profileSchema.parse(profile) && profile, timeframe, reasons };
}

function sniffDelimiter(lines: readonly string[]): string {
  const filled = lines.filter((line) => line.trim() !== '');
  const score = (delimiter: string): number => {
    const counts = filled.map((line) => line.split(delimiter).length - 1);
    return Math.min(...counts.slice(-Math.max(1, counts.length - 3)), 64);
  };
  return DELIMITERS.reduce((best, d) => (score(d) > score(best) ? d : best));
}

const findAlias = (cells: readonly string[], column: Column): number => {
  for (const alias of ALIASES[column]) {
    const at = cells.indexOf(alias);
    if (at >= 0) return at;
  }
  return -1;
};

interface Layout {
  readonly columns: ProfileInput['columns'];
  /** Places from 0. */
  readonly time: number;
  readonly close: number;
}

function namedLayout(header: readonly string[], name: string, reasons: string[]): Layout {
  const found: Partial<Record<Column, string | number>> = {};
  for (const column of Object.keys(ALIASES) as Column[]) {
    const at = findAlias(header, column);
    if (at < 0) continue;
    const unique = header[at] !== '' && header.indexOf(header[at]!) === at;
    found[column] = unique ? header[at]! : at + 1;
    if (!unique) reasons.push(`${column} stands in column ${at + 1}, which has no name`);
  }
  const missing = REQUIRED.filter((column) => found[column] === undefined);
  if (missing.length > 0) throw unknownFormat(name, `no column for ${missing.join(', ')}`);
  reasons.push(`the header names ${Object.keys(found).join(', ')}`);
  return {
    columns: found as ProfileInput['columns'],
    time: findAlias(header, 'time'),
    close: findAlias(header, 'close'),
  };
}

/** Without a header: time, open, high, low, close, volume, if every row agrees with that order. */
function placedLayout(
  lines: readonly (readonly string[])[],
  name: string,
  reasons: string[],
): Layout {
  const rows = lines.filter((cells) => cells.length >= 5).slice(0, MAX_HEAD_LINES);
  const plausible =
    rows.length > 0 &&
    rows.every((cells) => {
      const [open, high, low, close] = cells.slice(1, 5).map(Number);
      return high! >= Math.max(open!, close!, low!) && low! <= Math.min(open!, close!);
    });
  if (!plausible) {
    throw unknownFormat(
      name,
      'no header that names open, high, low and close in the first 20 lines',
    );
  }
  reasons.push(
    'there is no header; columns 2..5 are open, high, low, close in every row looked at',
  );
  const withVolume = rows.every((cells) => cells.length >= 6);
  return {
    columns: { time: 1, open: 2, high: 3, low: 4, close: 5, ...(withVolume && { volume: 6 }) },
    time: 0,
    close: 4,
  };
}

/** Lines below the header that are neither times nor prices. */
function countHeadLines(lines: readonly (readonly string[])[], time: number): number {
  const first = lines.findIndex((cells) => /\d/.test(cells[time] ?? ''));
  return Math.max(0, Math.min(first, 5));
}

const sample = <T>(rows: readonly T[]): readonly T[] =>
  rows.length <= 2 * SAMPLE_ROWS
    ? rows
    : [...rows.slice(0, SAMPLE_ROWS), ...rows.slice(-SAMPLE_ROWS)];

const readerOf = (format: TimeFormat): TimeReader =>
  timeReader({ format, zone: 'UTC', stamp: 'open' }, '1h');

function sniffTime(
  stamps: readonly string[],
  table: Table,
  column: number,
  name: string,
  reasons: string[],
): TimeFormat {
  if (stamps.length === 0) {
    reasons.push('there are no rows: the time format is a guess');
    return 'iso';
  }
  const fitting = TIME_FORMATS.filter((format) => {
    const read = readerOf(format);
    return stamps.every((stamp) => read(stamp) !== undefined);
  });
  if (fitting.length === 0) {
    const line = table.lineOf(stamps.findIndex((s) => readerOf('iso')(s) === undefined));
    throw unknownFormat(
      name,
      `column ${column + 1} is no time that is known, e.g. line ${line}: ${JSON.stringify(stamps[0])}`,
    );
  }
  const [only] = fitting;
  if (fitting.length === 1) {
    reasons.push(`times are ${only}: ${JSON.stringify(stamps[0])}`);
    return only!;
  }
  // Day and month, or the unit of an epoch, are told apart by the order and pace of the rows.
  const best = fitting.reduce((a, b) => (disorder(stamps, b) < disorder(stamps, a) ? b : a));
  reasons.push(
    `times fit ${fitting.join(' and ')}; with ${best} they are in order: ${JSON.stringify(stamps[0])}`,
  );
  return best;
}

/** Rows against the direction of the others, and steps that no timeframe has. */
function disorder(stamps: readonly string[], format: TimeFormat): number {
  const read = readerOf(format);
  const times = stamps.map((stamp) => read(stamp)!);
  let [ups, downs, odd] = [0, 0, 0];
  for (let i = 1; i < times.length; i++) {
    const step = times[i]! - times[i - 1]!;
    if (step > 0) ups++;
    else downs++;
    if (Math.abs(step) < HOUR_MS || Math.abs(step) > 30 * DAY_MS) odd++;
  }
  return Math.min(ups, downs) + odd;
}

function sniffTimeframe(
  stamps: readonly string[],
  format: TimeFormat,
  reasons: string[],
): Timeframe {
  const read = readerOf(format);
  const times = stamps.map((stamp) => read(stamp)!);
  const steps = times.slice(1).map((t, i) => Math.abs(t - times[i]!));
  const middle = steps.sort((a, b) => a - b)[steps.length >> 1] ?? DAY_MS;
  const timeframe = middle <= 2 * HOUR_MS ? '1h' : '1d';
  if (steps.length > 0) {
    reasons.push(`rows lie ${middle / HOUR_MS} h apart: timeframe ${timeframe}`);
  }
  return timeframe;
}

/** Headerless files of whole, large prices are scaled: Lean writes dollars x 10000. */
function sniffScale(table: Table, reasons: string[]): number | undefined {
  const prices = sample(table.rows).flatMap((row) => row.slice(1, 5).map(Number));
  const scaled = prices.length > 0 && prices.every((p) => Number.isInteger(p) && p >= 10_000);
  if (!scaled) return undefined;
  reasons.push('all prices are whole numbers of 10000 and more: taken as price x 10000 (Lean)');
  return 0.0001;
}

function sniffDecimal(
  table: Table,
  close: number,
  delimiter: string,
  reasons: string[],
): '.' | ',' {
  const cells = sample(table.rows).map((row) => row[close] ?? '');
  if (delimiter === ',' || !cells.some((c) => /^\d+,\d+$/.test(c))) return '.';
  reasons.push('prices have a decimal comma');
  return ',';
}

const unknownFormat = (name: string, why: string): SourceError =>
  new SourceError('source.unknownFormat', `${name} is not a file of bars as known: ${why}`);
