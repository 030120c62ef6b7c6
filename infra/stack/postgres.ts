/** PostgreSQL 18 with data checksums, on loopback, behind a random password. */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { ChildSpec } from './child.ts';
import { StackError, type Secrets } from './identity.ts';
import { writePrivate, type Layout } from './layout.ts';
import { isAlive, programOf } from './processes.ts';
import { findProgram } from './programs.ts';

const run = promisify(execFile);
const MAJOR = '18';
const USER = 'ratchet';
const DATABASE = 'ratchet';
const CONNECT_MS = 2_000;

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root; then it runs as an account that every system has. */
function accountFor(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const fields = lines.map((line) => line.split(':')).find(([login]) => login === name);
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new StackError(
    'stack.no-account',
    'PostgreSQL does not run as root and /etc/passwd has neither `postgres` nor `nobody`: run Ratchet as another user',
  );
}

/**
 * The words before a PostgreSQL program. As root: change to the account, keep only the capability to
 * pass through folders of root (the state folder is 0700). On Linux: end with the guard, even when
 * that one is killed.
 */
export function wrapper(account: Account | undefined): readonly string[] {
  const setpriv = findProgram('setpriv');
  if (!setpriv) {
    if (!account) return [];
    const fix = 'install util-linux (setpriv) or run Ratchet as a user other than root';
    throw new StackError('stack.no-setpriv', `PostgreSQL does not run as root: ${fix}`);
  }
  const as = account
    ? [
        `--reuid=${account.uid}`,
        `--regid=${account.gid}`,
        '--clear-groups',
        '--inh-caps=+dac_override',
        '--ambient-caps=+dac_override',
      ]
    : [];
  return [setpriv, ...as, '--pdeathsig=SIGQUIT', '--'];
}

/** Where the stack's database is; the password is part of it. */
export function databaseUrl(port: number, secrets: Secrets, database = DATABASE): string {
  return `postgres://${USER}:${secrets.postgres}@127.0.0.1:${port}/${database}`;
}

async function initialise(bin: string, layout: Layout, secrets: Secrets): Promise<void> {
  const account = accountFor();
  // A folder without the mark was being made when somebody pulled the plug.
  rmSync(layout.postgres, { recursive: true, force: true });
  mkdirSync(layout.postgres, { mode: 0o700 });
  const passwordFile = join(layout.postgres, 'password');
  writePrivate(passwordFile, `${secrets.postgres}\n`);
  if (account) {
    for (const path of [layout.postgres, passwordFile]) {
      chownSync(path, account.uid, account.gid);
    }
  }
  const words = [...wrapper(account), join(bin, 'initdb')];
  const auth = ['-U', USER, `--pwfile=${passwordFile}`, '-A', 'scram-sha-256'];
  const kind = ['-E', 'UTF8', '--locale=C', '--data-checksums', '--no-instructions'];
  const data = ['-D', join(layout.postgres, 'data')];
  await run(words[0]!, [...words.slice(1), ...auth, ...kind, ...data], { cwd: layout.postgres });
  rmSync(passwordFile);
  writePrivate(join(layout.postgres, 'initialised'), `${MAJOR}\n`);
}

/** A stale postmaster.pid names a process that is gone, or, after a reboot, somebody else's. */
function removeStalePidFile(data: string): void {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  const other = programOf(pid);
  if (!isAlive(pid) || (other !== undefined && other !== 'postgres')) rmSync(file, { force: true });
}

/** Makes the data folder when there is none and describes the server as a child. */
export async function postgresSpec(
  bin: string,
  layout: Layout,
  secrets: Secrets,
  port: number,
): Promise<ChildSpec> {
  const data = join(layout.postgres, 'data');
  if (!existsSync(join(layout.postgres, 'initialised'))) await initialise(bin, layout, secrets);
  const version = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  if (version !== MAJOR) {
    throw new StackError(
      'stack.postgres-version',
      `${data} was made by PostgreSQL ${version}; this is ${MAJOR}: back it up with that version and restore it here`,
    );
  }
  chmodSync(layout.postgres, 0o700);
  removeStalePidFile(data);
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 100,
    shared_buffers: '128MB',
    log_line_prefix: '%m [%p] ',
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const words = [...wrapper(accountFor()), join(bin, 'postgres'), '-D', data, ...options];
  return {
    name: 'postgres',
    title: 'PostgreSQL 18',
    command: words[0]!,
    args: words.slice(1),
    // Nothing of our environment: PG* variables would change what it does.
    env: { PATH: process.env['PATH'], TZ: 'UTC', LC_ALL: 'C' },
    cwd: layout.postgres,
    guarded: true,
    // Fast shutdown: clients are cut, everything is written.
    stopSignal: 'SIGINT',
    stopMs: 10_000,
    probe: () => query(databaseUrl(port, secrets, 'postgres'), 'SELECT 1'),
    readyMs: 60_000,
    port,
  };
}

async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Makes the database where there is none; refuses a server that does not check its pages. */
export async function ensureDatabase(port: number, secrets: Secrets): Promise<void> {
  const admin = databaseUrl(port, secrets, 'postgres');
  const [checksums] = await query(admin, 'SHOW data_checksums');
  if (checksums?.['data_checksums'] !== 'on') {
    throw new StackError(
      'stack.no-checksums',
      'PostgreSQL runs without data checksums: stop it and run pg_checksums --enable on its data folder',
    );
  }
  const found = await query(admin, `SELECT 1 FROM pg_database WHERE datname = '${DATABASE}'`);
  if (found.length === 0) await query(admin, `CREATE DATABASE ${DATABASE}`);
}
