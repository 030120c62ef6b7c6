import { z } from 'zod';
import { SourceError } from './errors.ts';
import { pagesOf, profileOf } from './files.ts';
import { profileSchema } from './profile.ts';
import { barsOfTable } from './read-bars.ts';
import type { BarPage, BarRequest, SqlRows } from './source.ts';
import { MAX_COLUMNS, MAX_ROWS, type Table } from './table.ts';

/** A table `bars` whose columns are named as everywhere here. */
const DEFAULT_SQL =
  'SELECT timestamp, open, high, low, close, volume FROM bars WHERE instrument = $instrument AND timeframe = $timeframe';

/** What sources that are asked in SQL have in common. The text is the operator's; a spec never brings any. */
export const sqlFields = {
  sql: z
    .string()
    .min(1)
    .max(10_000)
    .default(DEFAULT_SQL)
    .describe(
      'A SELECT of one row a bar; $instrument, $timeframe, $from and $to (ms UTC) stand for what is asked for.',
    ),
  profile: z
    .union([z.string(), profileSchema])
    .default('ohlcv-timestamp')
    .describe('What its columns mean: a named format, or one written out.'),
  pageBars: z.int().min(1).max(1_000_000).default(100_000).describe('Bars a page.'),
} as const;
const sqlParams = z.strictObject(sqlFields);
export type SqlParams = z.infer<typeof sqlParams>;

/** Values for the placeholders of the operator's text, by name. */
export const sqlValues = (request: BarRequest): Readonly<Record<string, string | number>> => ({
  instrument: request.instrument,
  timeframe: request.timeframe,
  from: request.from,
  to: request.to,
});

/** One row more than may be read: a query that gives more is refused, not cut. */
export const SQL_ROWS_MAX = MAX_ROWS + 1;

/** The bars of a query's rows, as of a file of the same columns. Errors: those of `barsOfTable`, `source.tooLarge`. */
export function* barsOfSql(
  { columns, rows }: SqlRows,
  params: SqlParams,
  request: BarRequest,
  cursor: string | undefined,
): Generator<BarPage> {
  if (rows.length > MAX_ROWS || columns.length > MAX_COLUMNS) {
    throw new SourceError('source.tooLarge', 'the query gives too many rows or columns');
  }
  const table: Table = {
    header: columns.map((column) => column.toLowerCase()),
    rows: rows.map((row) => row.map((cell) => cell ?? '')),
    lineOf: (row) => row + 1,
  };
  const profile = profileOf(params.profile);
  const content = barsOfTable(table, 'the query', profile, request);
  yield* pagesOf(content, request, cursor, params.pageBars);
}
