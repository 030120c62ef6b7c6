/** Rows in bulk: PostgreSQL's COPY, in its text format. */
import { finished } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { poolOf } from './db.ts';
import type { Db } from './in-transaction.ts';

const UNSAFE = /[\\\t\n\r]/;
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' },
};
const UNESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r' };
const NULL = '\\N';

export type CopyValue = string | number | Date | null | undefined;

/** A value as it stands between two tabs of a line. */
export function copyField(value: CopyValue): string {
  if (typeof value === 'string') {
    return UNSAFE.test(value) ? value.replaceAll(/[\\\t\n\r]/g, (c) => ESCAPES[c]!) : value;
  }
  if (value === null || value === undefined) return NULL;
  return typeof value === 'number' ? String(value) : value.toISOString();
}

/** The values of a line, without its end; null: none. */
export const copyFields = (line: string): (string | null)[] =>
  line
    .split('\t')
    .map((field) =>
      field === NULL ? null : field.replaceAll(/\\(.)/g, (_, c: string) => UNESCAPES[c] ?? c),
    );

/**
 * Sends lines to `statement`, a COPY ... FROM STDIN, on a connection of the pool: all of them are stored, or none.
 * Throws what the server says, as a query does.
 */
export async function copyIn(db: Db, statement: string, lines: Buffer): Promise<void> {
  const client = await poolOf(db).connect();
  let lost: Error | undefined;
  try {
    const sink = client.query(from(statement));
    // What is said of it after its first error is no news.
    sink.on('error', () => undefined);
    sink.end(lines);
    await finished(sink);
  } catch (error) {
    // A connection on which the server said what is wrong is as good as before.
    if (error instanceof Error && !(error instanceof pg.DatabaseError)) lost = error;
    throw error;
  } finally {
    client.release(lost);
  }
}
