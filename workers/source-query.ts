import { Client, type types } from 'pg';
import type { NamedDataset } from '../activities/deps.ts';
import { RatchetError } from '../core/errors.ts';
import type { SqlRows } from '../core/sources/source.ts';

/** A query of bars that takes longer has no index to go by; the source's own limit is 30 s. */
const STATEMENT_LIMIT_MS = 25_000;
const CONNECT_LIMIT_MS = 5_000;

const TIMESTAMP = 1114;
const TIMESTAMPTZ = 1184;

/** Times as ISO in UTC, everything else as PostgreSQL writes it. */
const asText = (oid: number) => (text: string) => {
  if (oid === TIMESTAMPTZ) return new Date(text).toISOString();
  return oid === TIMESTAMP ? `${text.replace(' ', 'T')}Z` : text;
};

/**
 * One query over the database of a dataset, in a read-only transaction: whatever its text says, nothing is written.
 * Throws `source.not-allowed` where the operator gave the dataset no database, and what PostgreSQL says, without the URL.
 */
export async function queryDataset(
  dataset: NamedDataset,
  text: string,
  values: readonly (string | number)[],
): Promise<SqlRows> {
  const { connection } = dataset;
  if (connection === undefined) {
    throw new RatchetError('source.not-allowed', `dataset ${dataset.name} has no connectionFile`);
  }
  const client = new Client({
    connectionString: connection(),
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    statement_timeout: STATEMENT_LIMIT_MS,
    types: { getTypeParser: (oid: number) => asText(oid) } as typeof types,
  });
  // A server that goes away between two statements must not end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query("SET TimeZone = 'UTC'");
    await client.query('BEGIN TRANSACTION READ ONLY');
    // One statement a text, also where it has no values: a second one could end the transaction.
    const query = { text, values: [...values], rowMode: 'array' as const, queryMode: 'extended' };
    const { fields, rows } = await client.query<(string | null)[]>(query);
    return { columns: fields.map(({ name }) => name), rows };
  } finally {
    await client.end().catch(() => {});
  }
}
