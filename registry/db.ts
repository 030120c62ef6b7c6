import { Kysely, PostgresDialect, type KyselyPlugin } from 'kysely';
import pg from 'pg';
import type { Database } from './tables.ts';

export interface DatabaseLog {
  warn(fields: object, message: string): void;
}

export interface DatabaseOptions {
  /** Connections held at most. */
  readonly max?: number;
  readonly log?: DatabaseLog;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
  /** A statement that runs longer is ended by the server. */
  readonly statementTimeoutMs?: number;
  /** How long to wait for a connection before the call fails. */
  readonly connectTimeoutMs?: number;
}

const DEFAULT_MAX = 10;
/** Longest honest statement: writing the bars of 25 years takes about a second. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** Predict and the API must learn soon that PostgreSQL is away. */
const CONNECT_TIMEOUT_MS = 5_000;
/** A transaction that forgot to end must not hold locks for ever. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;
/** The server may be gone without a word (black hole): the client gives up a little later itself. */
const CLIENT_GRACE_MS = 5_000;

const { builtins } = pg.types;

/**
 * int8 stays a string: it is what ids and `seq` are (opaque, beyond 2^53 in principle). The columns
 * that count bytes are numbers; they are turned by `bytesAsNumbers`.
 */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === builtins.INT8) return (value: string) => value;
    return pg.types.getTypeParser(oid, format as 'text');
  }) as typeof pg.types.getTypeParser,
};

const BYTE_COLUMNS = new Set(['bytes', 'artifact_bytes', 'package_bytes']);

const bytesAsNumbers: KyselyPlugin = {
  transformQuery: ({ node }) => node,
  transformResult: ({ result }) => {
    for (const row of result.rows) {
      for (const column of BYTE_COLUMNS) {
        const value = row[column];
        if (typeof value === 'string') row[column] = Number(value);
      }
    }
    return Promise.resolve(result);
  },
};

/**
 * Opens the registry's database. Connections are made when they are needed, so this never fails
 * because the server is away. `destroy()` closes the pool.
 *
 * An error of a connection (idle or checked out) is logged and the connection dropped; it never
 * ends the process: node-postgres emits it as an 'error' event, which without a listener would.
 */
export function openDatabase(url: string, options: DatabaseOptions = {}): Kysely<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max ?? DEFAULT_MAX,
    application_name: options.applicationName ?? 'ratchet',
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + CLIENT_GRACE_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    connectionTimeoutMillis: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types,
  });
  const report = (error: Error): void =>
    options.log?.warn({ err: error }, 'a database connection was lost');
  pool.on('error', report);
  pool.on('connect', (client) => void client.on('error', report));
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({ pool }),
    plugins: [bytesAsNumbers],
  });
  pools.set(db, pool);
  return db;
}

const pools = new WeakMap<Kysely<Database>, pg.Pool>();

/** The connections of a database that `openDatabase` opened: for what is no query. */
export function poolOf(db: Kysely<Database>): pg.Pool {
  const pool = pools.get(db);
  if (!pool) throw new Error('no pool: this is a transaction, or no database of openDatabase');
  return pool;
}
