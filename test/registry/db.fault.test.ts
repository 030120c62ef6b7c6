import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { openDatabase } from '../../registry/db.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { addModel } from '../support/registry-facts.ts';
import { rounds } from '../support/rounds.ts';

const ROUNDS = rounds(10, 100);

describe('the database connection', () => {
  let server: TestPostgres;
  let url: string;
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  before(async () => {
    process.on('uncaughtException', note);
    process.on('unhandledRejection', note);
    server = await startPostgres();
    url = await server.createDatabase({ migrated: true });
  });
  after(async () => {
    await server.stop();
    process.off('uncaughtException', note);
    process.off('unhandledRejection', note);
  });

  test(`all connections terminated ${ROUNDS} times: no exit, one failed call a connection`, async () => {
    const lost: object[] = [];
    const log = { warn: (fields: object) => void lost.push(fields) };
    const max = 5;
    const db = openDatabase(url, { max, log });
    for (let round = 0; round < ROUNDS; round++) {
      const sleeping = Array.from({ length: max }, () =>
        sql`SELECT pg_sleep(30)`.execute(db).then(
          () => 'slept',
          () => 'failed',
        ),
      );
      await server.untilConnections(url, 'pg_sleep', max);
      await server.terminateConnections(url);
      const outcomes = await Promise.all(sleeping);
      assert.deepEqual(new Set(outcomes), new Set(['failed']));
      const calls = await Promise.allSettled(
        Array.from({ length: 20 }, () => sql`SELECT 1`.execute(db)),
      );
      const failed = calls.filter(({ status }) => status === 'rejected').length;
      assert.ok(failed <= max, `${failed} calls failed after the connections were lost`);
      // Now they are idle: nobody waits for an answer that could carry the error.
      await server.terminateConnections(url);
    }
    await db.destroy();
    assert.deepEqual(unhandled, []);
    assert.ok(lost.length > 0, 'lost connections are logged');
  });

  test('goes on after the server was killed and started again; what was committed is there', async () => {
    const db = openDatabase(url, { max: 3 });
    await addModel(db, 'survivor');
    await server.kill();
    await assert.rejects(sql`SELECT 1`.execute(db));
    await server.restart();
    const found = await db
      .selectFrom('registered_model')
      .select('name')
      .where('name', '=', 'survivor')
      .execute();
    assert.equal(found.length, 1);
    await db.destroy();
    assert.deepEqual(unhandled, []);
  });

  test('a statement that runs too long is ended', async () => {
    const db = openDatabase(url, { max: 1, statementTimeoutMs: 100 });
    await assert.rejects(sql`SELECT pg_sleep(60)`.execute(db), /statement timeout/);
    await db.destroy();
  });

  test('a server that is away is an error within the time allowed, not a hang', async () => {
    const db = openDatabase('postgres://ratchet@127.0.0.1:1/none', { connectTimeoutMs: 500 });
    await assert.rejects(sql`SELECT 1`.execute(db), /ECONNREFUSED/);
    await db.destroy();
  });

  test('int8 is a string, timestamptz a Date, numbers of bytes are numbers', async () => {
    const db = openDatabase(url, { max: 1 });
    const { rows } = await sql<Record<string, unknown>>`
      SELECT 9007199254740993::int8 AS id, 5000000000::int8 AS bytes,
        timestamptz '2026-01-02 03:04:05+00' AS at, 0.1::float8 AS f, '{a,b}'::text[] AS list,
        '{"a": [1]}'::jsonb AS json`.execute(db);
    assert.deepEqual(rows[0], {
      id: '9007199254740993',
      bytes: 5_000_000_000,
      at: new Date('2026-01-02T03:04:05Z'),
      f: 0.1,
      list: ['a', 'b'],
      json: { a: [1] },
    });
    await db.destroy();
  });
});
