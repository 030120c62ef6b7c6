import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sql } from 'kysely';
import { championHistory } from '../../registry/champions.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { setFrozen } from '../../registry/lifecycle-state.ts';
import { createModel } from '../../registry/models.ts';
import { retireModel } from '../../registry/retirement.ts';
import {
  announcePromotion,
  promotionById,
  switchChampion,
  type PromotionIntent,
} from '../../registry/promotions.ts';
import { openTestDatabase } from '../support/postgres.ts';
import { addModel, addVersion, MODEL } from '../support/registry-facts.ts';

const asker = { actor: 'key-1' };
const close: (() => Promise<void>)[] = [];
after(() => Promise.all(close.map((end) => end())));

async function withVersions(count: number): Promise<Db> {
  const database = await openTestDatabase();
  close.push(database.close);
  await addModel(database.db);
  for (let n = 1; n <= count; n++) await addVersion(database.db, n);
  return database.db;
}

const intent = (promotionId: string, version: number, generation = 0): PromotionIntent => ({
  ...{ promotionId, model: MODEL, version, actor: 'test', reason: 'test' },
  expectedGeneration: generation,
});

test('an intent whose workflow was lost does not bar the next promotion, and cannot switch', async () => {
  const db = await withVersions(2);
  assert.equal((await announcePromotion(db, intent('lost', 1))).status, 'announced');
  assert.equal((await announcePromotion(db, intent('early', 2))).status, 'conflict');
  await sql`UPDATE promotion SET created_at = now() - interval '11 minutes' WHERE id = 'lost'`.execute(
    db,
  );
  assert.equal((await announcePromotion(db, intent('next', 2))).status, 'announced');
  const lost = await promotionById(db, 'lost');
  assert.equal(lost?.status, 'withdrawn');
  assert.match(lost.outcome ?? '', /next/);
  assert.equal((await switchChampion(db, 'lost')).status, 'conflict');
  assert.deepEqual(await switchChampion(db, 'next'), { status: 'promoted', generation: 1 });
});

test('a frozen model is promoted by hand only, whenever it was frozen', async () => {
  const db = await withVersions(2);
  const byItself = (id: string) => ({ ...intent(id, 1), actor: 'policy' });
  const change = { model: MODEL, actor: 'key-1', reason: 'audit' };
  await announcePromotion(db, byItself('early'));
  await setFrozen(db, { ...change, frozen: true, requestKey: 'a' });
  const late = await switchChampion(db, 'early');
  assert.match(
    late.status === 'conflict' ? late.reason : '',
    /frozen \(audit\): promote version 1/,
  );
  assert.equal((await announcePromotion(db, byItself('next'))).status, 'conflict');
  assert.equal((await announcePromotion(db, intent('by-hand', 2))).status, 'announced');
  assert.equal((await switchChampion(db, 'by-hand')).status, 'promoted');
});

test('a switch that waited for the retirement of its model is a conflict', async () => {
  const db = await withVersions(1);
  await announcePromotion(db, intent('late', 1));
  let switched: Promise<{ status: string }> | undefined;
  await db.transaction().execute(async (trx) => {
    await retireModel(trx, MODEL, { force: false, ...asker });
    switched = switchChampion(db, 'late');
    await waitingForLock(db);
  });
  assert.equal((await switched)?.status, 'conflict');
  assert.deepEqual(await championHistory(db, MODEL, 10), []);
  await createModel(db, { name: MODEL, instruments: ['^GSPC'], timeframe: '1d' }, asker);
});

test('a champion that was made while its retirement waited ends after it began', async () => {
  const db = await withVersions(1);
  await announcePromotion(db, intent('first', 1));
  let retired: Promise<unknown> | undefined;
  await db.transaction().execute(async (trx) => {
    await switchChampion(trx, 'first');
    retired = retireModel(db, MODEL, { force: true, ...asker });
    await waitingForLock(db);
    // The champion begins later than the waiting transaction did.
    await sql`UPDATE champion SET valid_from = clock_timestamp()`.execute(trx);
  });
  await retired;
  const [row] = await championHistory(db, MODEL, 1);
  assert.ok(row!.valid_to! >= row!.valid_from, `${row!.valid_to} < ${row!.valid_from}`);
});

/** Until another session of this database waits for a lock. */
async function waitingForLock(db: Db): Promise<void> {
  for (;;) {
    const { rows } = await sql`SELECT 1 FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(db);
    if (rows.length > 0) return;
  }
}
