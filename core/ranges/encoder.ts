import type { RangeShape } from './facts.ts';
import type { RangeRow } from './row.ts';

export const RANGE_FORMATS = ['ndjson', 'arrow'] as const;
export type RangeFormat = (typeof RANGE_FORMATS)[number];

export const CONTENT_TYPES: Readonly<Record<RangeFormat, string>> = {
  ndjson: 'application/x-ndjson',
  arrow: 'application/vnd.apache.arrow.stream',
};

export interface RowTotals {
  readonly rows: number;
  /** Of them, those with a problem. */
  readonly failed: number;
}

/** Rows as bytes: what stands before them, the rows of each batch, and what stands behind the last. */
export interface RowEncoder {
  readonly head: Uint8Array;
  rows(rows: readonly RangeRow[]): Uint8Array;
  tail(totals: RowTotals): Uint8Array;
}

/** A line of NDJSON. */
export const lineOf = (value: object): string => `${JSON.stringify(value)}\n`;

const utf8 = new TextEncoder();

const LINES: RowEncoder = {
  head: new Uint8Array(),
  rows: (rows) => utf8.encode(rows.map(lineOf).join('')),
  tail: ({ rows, failed }) => utf8.encode(lineOf({ done: true, rows, failed })),
};

/** How rows of a shape are written; Arrow is loaded where it is asked for. */
export async function encoderOf(format: RangeFormat, shape: RangeShape): Promise<RowEncoder> {
  return format === 'arrow' ? (await import('./arrow.ts')).arrowEncoder(shape) : LINES;
}

/** What is counted over batches of rows. */
export const countedIn = (rows: readonly RangeRow[]): RowTotals => ({
  rows: rows.length,
  failed: rows.filter(({ problem }) => problem).length,
});
