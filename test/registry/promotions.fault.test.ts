import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { openDatabase } from '../../registry/db.ts';
import { answerPromotion, replicaReadiness } from '../../registry/promotion-answers.ts';
import { announcePromotion } from '../../registry/promotions.ts';
import { LEASE_SECONDS, renewLease } from '../../registry/replicas.ts';
import type { Database } from '../../registry/tables.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { addModel, addVersion, MODEL } from '../support/registry-facts.ts';

const POLL_MS = 100;

describe('a promotion over an outage of the database that outlasts the leases', () => {
  let server: TestPostgres;
  let db: Kysely<Database>;
  before(async () => {
    server = await startPostgres();
    db = openDatabase(await server.createDatabase({ migrated: true }));
    await addModel(db);
    await addVersion(db, 1);
    for (const id of ['alive', 'gone']) await renewLease(db, { id, address: id, loaded: {} });
    await announcePromotion(db, {
      ...{ promotionId: 'p', model: MODEL, version: 1, actor: 'test', reason: 'test' },
      expectedGeneration: 0,
    });
    // As after an outage that was longer than a lease.
    await db
      .updateTable('replica')
      .set({ expires_at: new Date(Date.now() - 60_000) })
      .execute();
    await server.kill();
    await server.restart();
  });
  after(async () => {
    await db.destroy();
    await server.stop();
  });

  test('waits for the replicas that could not renew, and no longer than a lease', async () => {
    const at = performance.now();
    const first = await replicaReadiness(db, 'p');
    assert.deepEqual(first, { status: 'waiting', missing: ['alive', 'gone'] });
    await renewLease(db, { id: 'alive', address: 'alive', loaded: {} });
    await answerPromotion(db, { promotionId: 'p', replicaId: 'alive', ok: true, error: null });
    let seen = await replicaReadiness(db, 'p');
    assert.deepEqual(seen, { status: 'waiting', missing: ['gone'] });
    while (seen.status === 'waiting' && performance.now() - at < 2_000 * LEASE_SECONDS) {
      await pause(POLL_MS);
      await renewLease(db, { id: 'alive', address: 'alive', loaded: {} });
      seen = await replicaReadiness(db, 'p');
    }
    assert.deepEqual(seen, { status: 'ready', replicas: 1 });
  });
});
