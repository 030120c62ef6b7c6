import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { sql, type Kysely } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import { openDatabase, type DatabaseLog } from './db.ts';
import type { Trx } from './in-transaction.ts';
import type { Database } from './tables.ts';

/** Beside this file, in the source tree as in dist/. */
export const MIGRATIONS_DIR = new URL('./migrations/', import.meta.url);
const FILE_PATTERN = /^(\d{4})-[a-z0-9-]+\.sql$/;
/** For whoever has a table in use: a backup of it, say. */
const LOCK_TIMEOUT = '10s';
/** One migrator at a time; any number that nothing else locks. */
const MIGRATION_LOCK = 7_283_441;

export class MigrationError extends RatchetError {}

export interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

/** Files `NNNN-name.sql` of a folder in order; refuses gaps, doubles and other files. */
export async function readMigrations(dir: URL = MIGRATIONS_DIR): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => !name.startsWith('.')).sort();
  return Promise.all(
    names.map(async (name, index) => {
      const number = FILE_PATTERN.exec(name)?.[1];
      if (number === undefined || Number(number) !== index + 1) {
        throw new MigrationError(
          'migration.order',
          `migrations are numbered 0001, 0002, ... without gaps: ${name} is not number ${index + 1}`,
        );
      }
      const text = await readFile(new URL(name, dir), 'utf8');
      return { name, sql: text, sha256: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

/**
 * Brings the schema up to date; running it again changes nothing. All of it is one transaction
 * under an advisory lock, so that processes which start together migrate once.
 *
 * @returns names of the files applied now
 * @throws MigrationError `migration.changed` when an applied file's text differs from what was
 *   applied, `migration.newer` when the database knows files this version does not.
 */
export async function migrate(db: Kysely<Database>, dir?: URL): Promise<string[]> {
  const migrations = await readMigrations(dir);
  return db.transaction().execute(async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(trx);
    // Behind one that waits for a table, all others wait for it too: rather fail, and be started again.
    await sql`SELECT set_config('lock_timeout', ${LOCK_TIMEOUT}, true)`.execute(trx);
    await sql`CREATE TABLE IF NOT EXISTS schema_migration (
      name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
    )`.execute(trx);
    const applied = await appliedMigrations(trx);
    refuseForeign(migrations, applied);
    const missing = migrations.filter(({ name }) => !applied.has(name));
    for (const migration of missing) await apply(trx, migration);
    return missing.map(({ name }) => name);
  });
}

/** A table that is written anew takes some 25 s for each million of rows. */
const MIGRATION_TIMEOUT_MS = 3_600_000;

/** The same on a connection of its own, whose statements may take as long as large tables need. */
export async function migrateDatabase(url: string, log?: DatabaseLog): Promise<string[]> {
  const options = { max: 1, statementTimeoutMs: MIGRATION_TIMEOUT_MS, ...(log ? { log } : {}) };
  const db = openDatabase(url, options);
  try {
    return await migrate(db);
  } finally {
    await db.destroy();
  }
}

async function appliedMigrations(trx: Trx): Promise<Map<string, string>> {
  const { rows } = await sql<{ name: string; sha256: string }>`
    SELECT name, sha256 FROM schema_migration ORDER BY name`.execute(trx);
  return new Map(rows.map(({ name, sha256 }) => [name, sha256]));
}

function refuseForeign(migrations: readonly Migration[], applied: Map<string, string>): void {
  const known = new Map(migrations.map(({ name, sha256 }) => [name, sha256]));
  for (const [name, sha256] of applied) {
    const ours = known.get(name);
    if (ours === undefined) {
      throw new MigrationError(
        'migration.newer',
        `the database was migrated by a newer version (${name}); start that version, or restore`,
      );
    }
    if (ours !== sha256) {
      throw new MigrationError(
        'migration.changed',
        `${name} was changed after it had been applied; add a new file instead`,
      );
    }
  }
}

async function apply(trx: Trx, migration: Migration): Promise<void> {
  try {
    await sql.raw(migration.sql).execute(trx);
  } catch (cause) {
    throw new MigrationError('migration.failed', `${migration.name} failed: ${String(cause)}`, {
      cause,
    });
  }
  await sql`INSERT INTO schema_migration (name, sha256)
    VALUES (${migration.name}, ${migration.sha256})`.execute(trx);
}
