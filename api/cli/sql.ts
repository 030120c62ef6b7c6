import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Command } from 'commander';
import { openClient, type ApiClient, type Json } from './http.ts';
import { integer } from './options.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

/** Dataset versions that are looked through for the newest of each instrument. */
const LISTED_MAX = 500;
/** Instruments whose bars are fetched; each is some megabytes. */
const INSTRUMENTS_MAX = 128;
/** Rows printed unless more are asked for. */
const ROWS_SHOWN = 50;

const HELP = `
The table \`bars\` holds the newest frozen bars of every instrument: instrument, timeframe, dataset (the hash of the version),
open_time, open, high, low, close, volume, value, and the exogenous columns there are. \`versions\` lists what it was made of.

  ratchet sql "SELECT instrument, count(*), min(open_time), max(open_time) FROM bars GROUP BY ALL"
  ratchet sql "SELECT date_trunc('month', open_time) AS month, last(close ORDER BY open_time) FROM bars GROUP BY ALL" -i ^GSPC`;

interface SqlOptions {
  readonly instrument?: readonly string[];
  readonly rows: number;
}

/** `sql`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('sql')
    .argument('<query>', 'a SELECT in DuckDB SQL')
    .description('ask the frozen bars in SQL, here on this machine')
    .option('-i, --instrument <id...>', 'bars of these instruments only')
    .option('-n, --rows <n>', 'rows shown', integer(1, 1_000_000), ROWS_SHOWN)
    .addHelpText('after', HELP)
    .action((query: string, options: SqlOptions) => sql(ctx, query, options));
}

interface Version {
  readonly hash: string;
  readonly instrument: string;
  readonly timeframe: string;
  readonly rows: number;
}

/** The newest version of each instrument and timeframe. */
async function newestVersions(client: ApiClient, wanted: readonly string[] | undefined) {
  const queries = wanted?.map((instrument) => ({ instrument, limit: LISTED_MAX })) ?? [
    { limit: LISTED_MAX },
  ];
  const newest = new Map<string, Version>();
  for (const query of queries) {
    const { items } = await client.json('GET', '/api/v1/dataset-versions', { query });
    for (const row of items as Json[]) {
      const version = row as unknown as Version;
      const key = `${version.instrument} ${version.timeframe}`;
      if (!newest.has(key)) newest.set(key, version);
    }
  }
  const versions = [...newest.values()];
  const missing = wanted?.filter((id) => !versions.some(({ instrument }) => instrument === id));
  if (missing && missing.length > 0) {
    throw new CliError(EXIT.notFound, `no bars of ${missing.join(', ')} were frozen yet`, {
      hint: '`ratchet datasets INSTRUMENT` lists the frozen versions; an experiment freezes them',
    });
  }
  if (versions.length === 0) {
    throw new CliError(EXIT.notFound, 'no bars were frozen yet', {
      hint: 'run an experiment first: `ratchet run`',
    });
  }
  return versions.slice(0, INSTRUMENTS_MAX);
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The tables, then every door closed: the query sees them and nothing else of this machine. */
async function fill(
  connection: DuckDBConnection,
  client: ApiClient,
  versions: readonly Version[],
  folder: string,
): Promise<void> {
  await connection.run("SET TimeZone = 'UTC'");
  const parts: string[] = [];
  for (const { hash, instrument, timeframe } of versions) {
    const response = await client.send('GET', `/api/v1/dataset-versions/${hash}/bars`);
    const path = join(folder, `${hash}.parquet`);
    await writeFile(path, new Uint8Array(await response.arrayBuffer()), { mode: 0o600 });
    parts.push(
      `SELECT ${quoted(instrument)} AS instrument, ${quoted(timeframe)} AS timeframe, ${quoted(hash)} AS dataset, * ` +
        `FROM read_parquet(${quoted(path)})`,
    );
  }
  await connection.run(`CREATE TABLE bars AS ${parts.join(' UNION ALL BY NAME ')}`);
  await connection.run(
    'CREATE TABLE versions AS SELECT instrument, timeframe, dataset, count(*) AS rows, ' +
      'min(open_time) AS first_bar, max(open_time) AS last_bar FROM bars GROUP BY ALL ORDER BY ALL',
  );
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

async function sql(ctx: CliContext, query: string, options: SqlOptions): Promise<void> {
  const client = await openClient(ctx);
  const versions = await newestVersions(client, options.instrument);
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-sql-'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await fill(connection, client, versions, folder);
    const reader = await connection
      .runAndReadUntil(`SELECT * FROM (${query})`, options.rows + 1)
      .catch(refused);
    const names = reader.columnNames();
    const rows = reader.getRowObjectsJson().slice(0, options.rows);
    ctx.out.table(
      rows as Json[],
      names.map((name) => ({ title: name, value: (row: Json) => cellOf(row[name]) })),
      'no rows',
    );
    if (reader.currentRowCount > options.rows && !ctx.json) {
      ctx.out.line(`... more than ${options.rows} rows: --rows shows more`);
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}

function refused(cause: unknown): never {
  const why = cause instanceof Error ? cause.message.trim() : String(cause);
  throw new CliError(EXIT.usage, why, { cause });
}

const cellOf = (value: unknown): string | number | null => {
  if (value === null || typeof value === 'number') return value;
  return typeof value === 'string' ? value : JSON.stringify(value);
};
