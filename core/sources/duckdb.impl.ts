import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import type { DuckdbParams } from './duckdb.ts';
import { SourceError } from './errors.ts';
import type { BarPage, BarRequest, Source, SourceContext, SqlRows } from './source.ts';
import { barsOfSql, SQL_ROWS_MAX, sqlValues } from './sql.ts';

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * A connection that reads below `root` and nowhere else: no other folder, no network, no extension, and no statement can
 * open these doors again.
 */
async function openBelow(
  root: string,
  file: string | undefined,
): Promise<{ connection: DuckDBConnection; close: () => void }> {
  const options = { threads: '1', memory_limit: '1GB' };
  const instance = await DuckDBInstance.create(
    file ?? ':memory:',
    file === undefined ? options : { ...options, access_mode: 'READ_ONLY' },
  );
  const connection = await instance.connect();
  const settings = [
    "SET TimeZone = 'UTC'",
    `SET allowed_directories = [${quoted(`${root}/`)}]`,
    'SET autoinstall_known_extensions = false',
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ];
  for (const setting of settings) await connection.run(setting);
  return {
    connection,
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function ask(
  params: DuckdbParams,
  request: BarRequest,
  ctx: SourceContext,
): Promise<SqlRows> {
  const root = await ctx.pathOf('.');
  const file = params.file === undefined ? undefined : await ctx.pathOf(params.file);
  const { connection, close } = await openBelow(root, file);
  try {
    const sql = params.sql.replaceAll('{root}', root.replaceAll("'", "''"));
    const statement = `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${sql}) LIMIT ${SQL_ROWS_MAX}`;
    const prepared = await connection.prepare(statement);
    const values = sqlValues(request);
    for (const [name, value] of Object.entries(values)) {
      // A text need not name all of them.
      if (!params.sql.includes(`$${name}`)) continue;
      const at = prepared.parameterIndex(name);
      if (typeof value === 'string') prepared.bindVarchar(at, value);
      else prepared.bindDouble(at, value);
    }
    const reader = await prepared.runAndReadUntil(SQL_ROWS_MAX);
    return {
      columns: reader.columnNames(),
      rows: reader.getRows() as (string | null)[][],
    };
  } finally {
    close();
  }
}

export function create(params: DuckdbParams): Source {
  async function* fetch(
    request: BarRequest,
    cursor: string | undefined,
    ctx: SourceContext,
  ): AsyncGenerator<BarPage> {
    let answer: SqlRows;
    try {
      answer = await ask(params, request, ctx);
    } catch (cause) {
      if (cause instanceof SourceError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SourceError('source.sql', `DuckDB refuses the query: ${why}`, { cause });
    }
    ctx.signal.throwIfAborted();
    yield* barsOfSql(answer, params, request, cursor);
  }

  return {
    isAvailable: async (ctx) => (await ctx.listFiles().catch(() => [])).length > 0,
    fetch,
  };
}
