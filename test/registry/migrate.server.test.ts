import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { sql } from 'kysely';
import { openDatabase } from '../../registry/db.ts';
import { migrate, MIGRATIONS_DIR, readMigrations } from '../../registry/migrate.ts';
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
