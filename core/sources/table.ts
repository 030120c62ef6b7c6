import { CsvError, parse } from 'csv-parse/sync';
import { SourceError } from './errors.ts';
import type { ColumnRef } from './profile.ts';

export const MAX_COLUMNS = 256;
export const MAX_ROWS = 5_000_000;
const MAX_ROW_CHARACTERS = 65_536;

export interface Table {
  /** Names of the columns in lower case, or empty where the file has no header. */
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Line of the file (from 1) in which a row stands. */
  lineOf(row: number): number;
}

export interface TableLayout {
  readonly delimiter: string;
  readonly skipLines: number;
  readonly header: boolean;
  readonly skipAfterHeader: number;
}

/**
 * Cells of a delimited text.
 * Errors: `source.csv` (open quote, too long a row) and `source.columns`, with the line.
 */
export function parseTable(text: string, name: string, layout: TableLayout): Table {
  const options = {
    delimiter: layout.delimiter,
    from_line: layout.skipLines + 1,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    max_record_size: MAX_ROW_CHARACTERS,
    to: MAX_ROWS + layout.skipAfterHeader + 2,
  };
  let records: string[][];
  try {
    records = parse(text, options);
  } catch (cause) {
    const line = cause instanceof CsvError ? cause['lines'] : undefined;
    const where = line === undefined ? '' : ` at line ${String(line)}`;
    throw new SourceError('source.csv', `${name}${where}: ${csvReason(cause)}`, { cause });
  }
  if (records.length > MAX_ROWS + layout.skipAfterHeader + 1) {
    throw new SourceError('source.tooLarge', `${name} has more than ${MAX_ROWS} rows`);
  }
  const head = (layout.header ? 1 : 0) + (layout.header ? layout.skipAfterHeader : 0);
  const widest = records.slice(0, 100).reduce((max, r) => Math.max(max, r.length), 0);
  if (widest > MAX_COLUMNS) {
    throw new SourceError(
      'source.columns',
      `${name} has ${widest} columns; ${MAX_COLUMNS} at most`,
    );
  }
  return {
    header: layout.header ? (records[0] ?? []).map((cell) => cell.toLowerCase()) : [],
    rows: records.slice(head),
    lineOf: (row) => {
      // Only errors ask: the text is parsed once more, this time with line numbers.
      const infos = parse(text, { ...options, info: true, to: head + row + 1 }) as unknown as {
        info: { lines: number };
      }[];
      return infos[head + row]?.info.lines ?? head + row + 1;
    },
  };
}

function csvReason(cause: unknown): string {
  const code = cause instanceof CsvError ? cause.code : '';
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'a quotation mark is never closed';
  if (code === 'CSV_MAX_RECORD_SIZE')
    return `a row is longer than ${MAX_ROW_CHARACTERS} characters`;
  return cause instanceof Error ? cause.message : String(cause);
}

/** Where a column stands, from 0; throws `source.columns` with the names that are there. */
export function columnPosition(
  table: Table,
  fileName: string,
  what: string,
  ref: ColumnRef,
): number {
  const width = table.header.length || (table.rows[0]?.length ?? 0);
  const at = typeof ref === 'number' ? ref - 1 : table.header.indexOf(ref.toLowerCase());
  // A file without any row has no columns to check places against.
  if (at >= 0 && (at < width || width === 0)) return at;
  const there = table.header.length ? table.header.map((h) => h || '(unnamed)').join(', ') : width;
  throw new SourceError(
    'source.columns',
    `${fileName} has no column ${JSON.stringify(ref)} for ${what}; it has: ${there}`,
  );
}
