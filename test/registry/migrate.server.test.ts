import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { sql } from 'kysely';
import { openDatabase } from '../../registry/db.ts';
import {
  migrate,
  migrateDatabase,
  MIGRATIONS_DIR,
  readMigrations,
} from '../../registry/migrate.ts';
import { ensurePredictionMonth } from '../../registry/predictions.ts';
import { sharedPostgres, type TestPostgres } from '../support/postgres.ts';

describe('migrations', () => {
  let server: TestPostgres;
  let folder: string;
  let dir: URL;
  before(async () => {
    server = await sharedPostgres();
    folder = await mkdtemp(join(tmpdir(), 'ratchet-migrations-'));
    dir = pathToFileURL(`${folder}/`);
    await cp(MIGRATIONS_DIR, dir, { recursive: true });
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const emptyDatabase = async () => openDatabase(await server.createDatabase(), { max: 3 });

  test('apply once, and again nothing', async (t) => {
    const db = await emptyDatabase();
    t.after(() => db.destroy());
    const all = (await readMigrations()).map(({ name }) => name);
    assert.deepEqual(await migrate(db), all);
    assert.deepEqual(await migrate(db), []);
  });

  test('answers of an earlier release stay what they were', async (t) => {
    const url = await server.createDatabase();
    const db = openDatabase(url, { max: 1 });
    t.after(() => db.destroy());
    const all = await readMigrations();
    const before = all.filter(({ name }) => name < '0023');
    for (const migration of before) {
      await sql.raw(migration.sql).execute(db);
    }
    await sql`CREATE TABLE schema_migration (
      name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`.execute(
      db,
    );
    for (const { name, sha256 } of before) {
      await sql`INSERT INTO schema_migration (name, sha256) VALUES (${name}, ${sha256})`.execute(
        db,
      );
    }
    const at = new Date('2026-11-20T10:00:00Z');
    await ensurePredictionMonth(db, at);
    const answer = { horizons: [{ change: -1e-7, words: '"\\ Ä' }], fallback: null };
    await sql`INSERT INTO prediction (id, at, batch_id, model, version, generation, package_digest, instrument, as_of,
        request_id, key_id, replica_id, answer, duration_ms)
      VALUES ('p', ${at}, 'p', 'm', 1, 1, 'd', 'i', ${at}, 'r', 'k', 'x', ${JSON.stringify(answer)}::jsonb, 1)`.execute(
      db,
    );
    assert.deepEqual(
      await migrateDatabase(url),
      all.slice(before.length).map(({ name }) => name),
    );
    const rows = await db.selectFrom('prediction').select(['id', 'answer']).execute();
    assert.deepEqual(rows, [{ id: 'p', answer }]);
    assert.deepEqual(await migrateDatabase(url), []);
  });

  test('processes that start together migrate once', async (t) => {
    const db = await emptyDatabase();
    t.after(() => db.destroy());
    const applied = await Promise.all([migrate(db), migrate(db), migrate(db)]);
    assert.equal(applied.flat().length, (await readMigrations()).length);
  });

  test('a changed applied file is refused, and nothing is applied', async (t) => {
    const db = await emptyDatabase();
    t.after(() => db.destroy());
    await migrate(db, dir);
    const [first] = await readMigrations(dir);
    assert.ok(first);
    const file = join(folder, first.name);
    await writeFile(file, `${first.sql}\n-- changed`);
    t.after(() => writeFile(file, first.sql));
    await assert.rejects(migrate(db, dir), { code: 'migration.changed' });
  });

  test('a schema of a newer version is refused', async (t) => {
    const db = await emptyDatabase();
    t.after(() => db.destroy());
    await migrate(db);
    await sql`INSERT INTO schema_migration (name, sha256) VALUES ('9999-later.sql', 'x')`.execute(
      db,
    );
    await assert.rejects(migrate(db), { code: 'migration.newer' });
  });

  test('a failing file leaves nothing behind', async (t) => {
    const db = await emptyDatabase();
    t.after(() => db.destroy());
    const count = (await readMigrations(dir)).length;
    const bad = join(folder, `${String(count + 1).padStart(4, '0')}-bad.sql`);
    await writeFile(bad, 'CREATE TABLE half (id int); CREATE TABLE half (id int);');
    t.after(() => rm(bad));
    await assert.rejects(migrate(db, dir), { code: 'migration.failed' });
    const { rows } = await sql<{ n: string | null }>`SELECT to_regclass('half') AS n`.execute(db);
    assert.equal(rows[0]?.n, null);
  });

  test('files that are not numbered without gaps are refused', async (t) => {
    const stray = join(folder, '0099-gap.sql');
    await writeFile(stray, 'SELECT 1;');
    t.after(() => rm(stray));
    await assert.rejects(readMigrations(dir), { code: 'migration.order' });
  });

  test('page checksums are on', async (t) => {
    const db = await emptyDatabase();
    t.after(() => db.destroy());
    const { rows } = await sql<{ data_checksums: string }>`SHOW data_checksums`.execute(db);
    assert.equal(rows[0]?.data_checksums, 'on');
  });
});
