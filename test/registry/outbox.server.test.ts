import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  backoffSeconds,
  deliverNext,
  enqueueAgain,
  enqueueOutbox,
  outboxState,
  type OutboxMessage,
} from '../../registry/outbox.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { openTestDatabase } from '../support/postgres.ts';

const close: (() => Promise<void>)[] = [];
after(() => Promise.all(close.map((end) => end())));
const fresh = async () => {
  const database = await openTestDatabase();
  close.push(database.close);
  return database;
};
const message = (version: number): OutboxMessage => ({
  kind: 'version-registered',
  model: 'm',
  version,
});
const enqueueAll = (db: Db, ...versions: number[]) =>
  db.transaction().execute(async (trx) => {
    for (const version of versions) await enqueueOutbox(trx, message(version));
  });

describe('the outbox', () => {
  test('delivers each message once, in order', async () => {
    const { db } = await fresh();
    await enqueueAll(db, 1, 2, 1);
    const got: OutboxMessage[] = [];
    const deliver = async ({ message: m }: { message: OutboxMessage }) => void got.push(m);
    assert.equal(await deliverNext(db, deliver), 'delivered');
    assert.equal(await deliverNext(db, deliver), 'delivered');
    assert.equal(await deliverNext(db, deliver), 'empty');
    assert.deepEqual(got, [message(1), message(2)]);
  });

  test('holds nothing of a change that did not happen', async () => {
    const { db } = await fresh();
    const change = db.transaction().execute(async (trx) => {
      await enqueueOutbox(trx, message(1));
      throw new Error('rolled back');
    });
    await assert.rejects(change, /rolled back/);
    assert.equal((await outboxState(db)).open, 0);
  });

  test('keeps what failed, says why, and does not let it hold up the rest', async () => {
    const { db } = await fresh();
    await enqueueAll(db, 1, 2);
    const failing = () => Promise.reject(new Error('MLflow is away'));
    assert.equal(await deliverNext(db, failing), 'failed');
    const got: OutboxMessage[] = [];
    await deliverNext(db, async ({ message: m }) => void got.push(m));
    assert.deepEqual(got, [message(2)]);
    const state = await outboxState(db);
    assert.equal(state.open, 1);
    assert.match(state.lastError ?? '', /MLflow is away/);
    assert.ok(state.oldestOpen instanceof Date);
    const never = async () => assert.fail('it is not due yet');
    assert.equal(await deliverNext(db, never), 'empty');
    await db
      .updateTable('outbox')
      .set({ next_attempt_at: new Date(0) })
      .execute();
    const attempts: number[] = [];
    await deliverNext(db, async (claimed) => void attempts.push(claimed.attempts));
    assert.deepEqual(attempts, [1]);
    assert.equal((await outboxState(db)).lastError, null);
  });

  test('waits longer after each failure, but never longer than five minutes', () => {
    assert.deepEqual([0, 1, 2, 3].map(backoffSeconds), [1, 2, 4, 8]);
    assert.equal(backoffSeconds(50), 300);
  });

  test('one delivery at a time: a second process is told so', async () => {
    const { db } = await fresh();
    await enqueueAll(db, 1, 2);
    const result = await deliverNext(db, async () => {
      assert.equal(await deliverNext(db, async () => assert.fail('at once')), 'busy');
    });
    assert.equal(result, 'delivered');
  });

  test('a delivery whose connection is killed is repeated', async () => {
    const { db, url, server } = await fresh();
    await enqueueAll(db, 1);
    let deliveries = 0;
    const killed = deliverNext(db, async () => {
      deliveries++;
      await server.terminateConnections(url);
    });
    await assert.rejects(killed);
    assert.equal(await deliverNext(db, async () => void deliveries++), 'delivered');
    assert.equal(deliveries, 2);
  });

  test('delivers again what is enqueued again', async () => {
    const { db } = await fresh();
    await enqueueAll(db, 1);
    await deliverNext(db, async () => undefined);
    const yesterday = new Date(Date.now() - 24 * 3600 * 1000);
    await db.updateTable('outbox').set({ created_at: yesterday }).execute();
    const again = (): Promise<void> =>
      db.transaction().execute((trx) => enqueueAgain(trx, message(1)));
    await again();
    const since = (await outboxState(db)).oldestOpen!;
    assert.ok(since.getTime() > yesterday.getTime() + 3600 * 1000, 'it waits since just now');
    await again();
    assert.deepEqual(
      (await outboxState(db)).oldestOpen,
      since,
      'and not anew for being asked twice',
    );
    assert.equal(await deliverNext(db, async () => undefined), 'delivered');
    const rows = await db.selectFrom('outbox').select('id').execute();
    assert.equal(rows.length, 1);
  });

  test('a message of a later version is kept, not lost', async () => {
    const { db } = await fresh();
    await db
      .insertInto('outbox')
      .values({ kind: 'from-the-future', key: 'k', payload: '{}' })
      .execute();
    assert.equal(await deliverNext(db, async () => assert.fail('not ours')), 'failed');
    assert.equal((await outboxState(db)).open, 1);
  });
});
