import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { SourceError } from './errors.ts';
import { fileSource, type FileParams } from './files.ts';
import { barsOfTable } from './read-bars.ts';
import type { Source } from './source.ts';
import { MAX_COLUMNS, MAX_ROWS, type Table } from './table.ts';

/**
 * Cells of a Parquet file as text (timestamps as ISO in UTC), so that profiles mean the same as for
 * delimited files. Errors: `source.parquet`, `source.tooLarge`.
 */
export async function readParquetTable(bytes: Uint8Array, name: string): Promise<Table> {
  const path = join(tmpdir(), `ratchet-${randomUUID()}.parquet`);
  await writeFile(path, bytes, { mode: 0o600 });
  try {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const connection = await instance.connect();
    try {
      await connection.run("SET TimeZone = 'UTC'");
      const file = `read_parquet('${path.replaceAll("'", "''")}')`;
      const reader = await connection.runAndReadUntil(
        `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ${file} LIMIT ${MAX_ROWS + 1}`,
        MAX_ROWS + 1,
      );
      const header = reader.columnNames().map((column) => column.toLowerCase());
      const rows = reader.getRows() as (string | null)[][];
      if (rows.length > MAX_ROWS || header.length > MAX_COLUMNS) {
        throw new SourceError('source.tooLarge', `${name} has too many rows or columns`);
      }
      return {
        header,
        rows: rows.map((row) => row.map((cell) => cell ?? '')),
        lineOf: (row) => row + 1,
      };
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    throw new SourceError('source.parquet', `${name} is not a readable Parquet file`, { cause });
  } finally {
    await rm(path, { force: true });
  }
}

export const create = (params: FileParams): Source =>
  fileSource(params, async (ctx, name, profile, request) => {
    const table = await readParquetTable(await ctx.openFile(name), name);
    return barsOfTable(table, name, profile, request);
  });
