import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Command } from 'commander';
import { frozenFile, newestVersions, type FrozenVersion } from './frozen-versions.ts';
import { openClient, type ApiClient, type Json } from './http.ts';
import { integer } from './options.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

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

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The tables, then every door closed: the query sees them and nothing else of this machine. */
async function fill(
  connection: DuckDBConnection,
  client: ApiClient,
  versions: readonly FrozenVersion[],
  folder: string,
): Promise<void> {
  await connection.run("SET TimeZone = 'UTC'");
  const parts: string[] = [];
  for (const { hash, instrument, timeframe } of versions) {
    const path = join(folder, `${hash}.parquet`);
    await writeFile(path, await frozenFile(client, hash), { mode: 0o600 });
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
