import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql } from 'kysely';
import { copyField, copyFields } from '../../registry/copy-in.ts';
import { openDatabase, poolOf } from '../../registry/db.ts';
import {
  copyPredictions,
  predictionJson,
  predictionLine,
} from '../../registry/prediction-lines.ts';
import { ensurePredictionMonth, type PredictionRow } from '../../registry/predictions.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';

const AT = '2026-11-20T10:00:00.000Z';

const row = (id: string): PredictionRow => ({
  ...{ id, at: AT, batch_id: 'batch', model: 'model', version: 3, generation: 2 },
  ...{ package_digest: 'digest', instrument: '^GSPC', as_of: AT, request_id: 'request' },
  ...{ key_id: 'key', replica_id: 'replica', answer: '{"a":"\\\\ \\t"}', duration_ms: 0.5 },
});

const line = (id: string): Buffer => Buffer.from(`${predictionLine(row(id))}\n`);

/** The statement's trigger takes this lock for itself: who has it holds up all that is copied. */
const INTAKE = sql`hashtextextended('prediction-intake', 0)`;

/** COPY of a line while nobody's rows are taken in, until `meanwhile` is over; what it throws. */
async function heldUp(
  { db, server, url }: TestDatabase,
  patient: Parameters<typeof copyPredictions>[0],
  meanwhile: () => Promise<void>,
): Promise<unknown> {
  return db.connection().execute(async (holder) => {
    await sql`SELECT pg_advisory_lock(${INTAKE})`.execute(holder);
    const copied = copyPredictions(patient, line('held-up')).then(
      () => undefined,
      (error: unknown) => error,
    );
    await server.untilConnections(url, 'copy prediction', 1);
    await meanwhile();
    const said = await copied;
    await sql`SELECT pg_advisory_unlock(${INTAKE})`.execute(holder);
    return said;
  });
}

async function isWell(db: TestDatabase['db']): Promise<void> {
  await copyPredictions(db, line('afterwards'));
  const { totalCount, idleCount, waitingCount } = poolOf(db);
  assert.deepEqual([idleCount, waitingCount], [totalCount, 0]);
}

const idsOf = async ({ db }: TestDatabase): Promise<string[]> => {
  const rows = await db.selectFrom('prediction').select('id').orderBy('id').execute();
  return rows.map(({ id }) => id);
};

describe('lines of COPY', () => {
  test('have their values in an order that a spool of an earlier release has too', () => {
    const told = predictionLine({ ...row('id'), role: 'shadow', error: 'a\tb', code_version: '1' });
    const expected =
      `id|${AT}|batch|model|3|2|digest|^GSPC|${AT}|request|key|replica|{"a":"\\\\\\\\ \\\\t"}|0.5|shadow|` +
      'instrument|\\N|\\N|a\\tb|\\N|1';
    assert.equal(told, expected.replaceAll('|', '\t'));
    assert.deepEqual(JSON.parse(predictionJson(told)), {
      ...{ id: 'id', at: AT, batch_id: 'batch', model: 'model', version: '3', generation: '2' },
      ...{ package_digest: 'digest', instrument: '^GSPC', as_of: AT, request_id: 'request' },
      ...{ key_id: 'key', replica_id: 'replica', answer: { a: '\\ \t' }, duration_ms: '0.5' },
      ...{ role: 'shadow', input: 'instrument', pair_id: null, trial_id: null, error: 'a\tb' },
      ...{ asked_as_of: null, code_version: '1' },
    });
  });

  test('give back any value', () => {
    const values = ['', '\\', '\\N', '\t\n\r', 'a\\tb', '💡', null, '-0', '1e-7'];
    assert.deepEqual(copyFields(values.map(copyField).join('\t')), values);
    const others = [undefined, 1e21, new Date(AT)];
    assert.deepEqual(copyFields(others.map(copyField).join('\t')), [null, '1e+21', AT]);
  });

  test('are all stored or none, and what is wrong with them is told', async () => {
    const test = await openTestDatabase();
    try {
      await ensurePredictionMonth(test.db, new Date(AT));
      await copyPredictions(test.db, Buffer.concat([line('a'), line('b')]));
      const again = Buffer.concat([line('c'), line('b'), line('d')]);
      await assert.rejects(copyPredictions(test.db, again), { code: '23505' });
      await assert.rejects(copyPredictions(test.db, Buffer.from('e\n')), { code: '22P04' });
      assert.deepEqual(await idsOf(test), ['a', 'b']);
      await isWell(test.db);
    } finally {
      await test.close();
    }
  });

  test('of a connection that ends are not stored, and the next are', async () => {
    const test = await openTestDatabase();
    const own = openDatabase(test.url, { applicationName: 'copies' });
    try {
      await ensurePredictionMonth(test.db, new Date(AT));
      const said = await heldUp(test, own, () =>
        test.server.terminateConnections(test.url, 'copies'),
      );
      assert.ok(said instanceof Error);
      await isWell(own);
      assert.deepEqual(await idsOf(test), ['afterwards']);
    } finally {
      await own.destroy();
      await test.close();
    }
  });

  test('that take too long are given up, and their connection goes on', async () => {
    const test = await openTestDatabase();
    const hasty = openDatabase(test.url, { statementTimeoutMs: 300 });
    try {
      await ensurePredictionMonth(test.db, new Date(AT));
      const said = await heldUp(test, hasty, async () => undefined);
      assert.equal((said as { code?: unknown }).code, '57014');
      await isWell(hasty);
      assert.deepEqual(await idsOf(test), ['afterwards']);
    } finally {
      await hasty.destroy();
      await test.close();
    }
  });
});
