import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ulid } from 'ulid';
import { championAt, modelGeneration } from '../../registry/champions.ts';
import { answerPromotion, replicaReadiness } from '../../registry/promotion-answers.ts';
import {
  announcePromotion,
  latestPromotion,
  switchChampion,
  withdrawPromotion,
} from '../../registry/promotions.ts';
import { liveReplicas } from '../../registry/replicas.ts';
import {
  eventually,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

const PATH = `/api/v1/ml-models/${MODEL}`;

describe('promotion', () => {
  let fixture: ApiFixture;
  let replicas: TestReplica[];
  before(async () => {
    fixture = await openApiFixture();
    replicas = [
      await fixture.open('a', { notifications: true }),
      await fixture.open('b', { notifications: true }),
    ];
  });
  after(() => fixture.close());

  const intent = async (version: number) => ({
    promotionId: ulid(),
    model: MODEL,
    version,
    actor: 'test',
    reason: 'test',
    expectedGeneration: await modelGeneration(fixture.db, MODEL),
  });

  it('waits for every live replica, switches once, and both serve the new generation', async () => {
    assert.equal((await liveReplicas(fixture.db)).length, 2);
    const input = await intent(1);
    assert.deepEqual(await announcePromotion(fixture.db, input), {
      status: 'announced',
      replicas: 2,
    });
    // Repeating it is the same promotion; another one at the same time loses.
    assert.equal((await announcePromotion(fixture.db, input)).status, 'announced');
    const rival = await announcePromotion(fixture.db, await intent(2));
    assert.equal(rival.status, 'conflict');
    await eventually('both replicas answer', async () => {
      return (await replicaReadiness(fixture.db, input.promotionId)).status === 'ready';
    });
    const switched = await switchChampion(fixture.db, input.promotionId);
    assert.deepEqual(switched, { status: 'promoted', generation: 1 });
    assert.deepEqual(await switchChampion(fixture.db, input.promotionId), switched);
    for (const replica of replicas) {
      await eventually(
        'it serves version 1',
        () => replica.host.active(MODEL)?.served.version === 1,
      );
      const answer = await replica.call('POST', `${PATH}/predict`, { confidence: 'none' });
      assert.deepEqual([answer.body['version'], answer.body['generation']], [1, 1]);
    }
  });

  it('refuses a decision that was made on an older generation', async () => {
    const late = { ...(await intent(2)), expectedGeneration: 0 };
    const answer = await announcePromotion(fixture.db, late);
    assert.equal(answer.status, 'conflict');
    assert.match(answer.status === 'conflict' ? answer.reason : '', /generation 1/);
    assert.equal((await switchChampion(fixture.db, late.promotionId)).status, 'conflict');
  });

  it('withdraws when a replica cannot load the package; nothing changes', async () => {
    // The version's bytes are not where the registry says.
    await fixture.db
      .updateTable('model_version')
      .set({ package_digest: 'f'.repeat(64) })
      .where('version', '=', 2)
      .execute();
    const before = await fixture.db
      .selectFrom('model_version')
      .select('manifest_uri')
      .where('version', '=', 2)
      .executeTakeFirstOrThrow();
    const failed = await fixture.promote(2);
    assert.equal(failed.status, 'conflict');
    assert.equal((await latestPromotion(fixture.db, MODEL))?.status, 'withdrawn');
    assert.equal(await modelGeneration(fixture.db, MODEL), 1);
    const digest = before.manifest_uri!.slice('cas/'.length);
    await fixture.db
      .updateTable('model_version')
      .set({ package_digest: digest })
      .where('version', '=', 2)
      .execute();
  });

  it('a withdrawn intent cannot be switched any more', async () => {
    const input = await intent(2);
    await announcePromotion(fixture.db, input);
    await withdrawPromotion(fixture.db, { promotionId: input.promotionId, reason: 'changed mind' });
    const answer = await switchChampion(fixture.db, input.promotionId);
    assert.deepEqual(answer, { status: 'conflict', reason: 'changed mind' });
  });

  it('answers each request from exactly one version while champions change', async () => {
    let stop = false;
    const seen = new Map<string, number>();
    const clients = Array.from({ length: 4 }, async (_, i) => {
      while (!stop) {
        const replica = replicas[i % 2]!;
        const { status, body } = await replica.call('POST', `${PATH}/predict`, {
          confidence: 'none',
          record: false,
        });
        assert.equal(status, 200, JSON.stringify(body));
        const key = `${String(body['version'])}/${String(body['packageDigest'])}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    for (let n = 0; n < 6; n++) {
      const version = n % 2 === 0 ? 2 : 1;
      assert.equal((await fixture.promote(version)).status, 'promoted');
    }
    stop = true;
    await Promise.all(clients);
    assert.equal(seen.size, 2, 'each version with its own package, nothing mixed');
  });

  it('tells who was champion when, and keeps one open row', async () => {
    const state = await replicas[0]!.call('GET', `${PATH}/champion`);
    const history = state.body['history'] as unknown as { validFrom: string; version: number }[];
    assert.equal(history.length, 7);
    const [newest, former] = history as [(typeof history)[0], (typeof history)[0]];
    assert.equal(
      (await championAt(fixture.db, MODEL, new Date(newest.validFrom)))?.version,
      newest.version,
    );
    const at = await replicas[0]!.call(
      'GET',
      `${PATH}/champion?at=${encodeURIComponent(former.validFrom)}`,
    );
    assert.equal((at.body['champion'] as unknown as { version: number }).version, former.version);
    const never = await replicas[0]!.call('GET', `${PATH}/champion?at=2001-01-01`);
    assert.equal(never.status, 404);
  });

  it('POST promote: 202, conflicts are 409, the same key once, the same version refused', async () => {
    const { call } = replicas[0]!;
    const current = replicas[0]!.host.active(MODEL)!.served.version;
    const other = current === 1 ? 2 : 1;
    const headers = { 'idempotency-key': 'promotion-key-1' };
    const first = await call('POST', `${PATH}/promote`, { version: other }, { headers });
    assert.equal(first.status, 202, JSON.stringify(first.body));
    const again = await call('POST', `${PATH}/promote`, { version: other }, { headers });
    assert.deepEqual(again.body, first.body);
    const changed = await call('POST', `${PATH}/promote`, { version: current }, { headers });
    assert.equal(changed.status, 422);
    assert.equal((await call('POST', `${PATH}/promote`, { version: other })).status, 409);
    fixture.orchestrator.ended(MODEL);
    assert.equal((await call('POST', `${PATH}/promote`, { version: current })).status, 409);
    assert.equal((await call('POST', `${PATH}/promote`, { version: 77 })).status, 404);
    assert.equal((await call('POST', `${PATH}/promote`, {})).status, 422);
    const stale = { version: other, expectedGeneration: 0 };
    assert.equal((await call('POST', `${PATH}/promote`, stale)).status, 409);
    assert.equal(fixture.orchestrator.promotions.length, 1);
    const audit = await call('GET', '/api/v1/audit?limit=100');
    const requests = (audit.body['items'] as unknown as { action: string }[]).filter(
      (row) => row.action === 'promotion.request',
    );
    assert.equal(requests.length, 1);
  });
});

it('a replica that was started again during an intent proves the package itself', async () => {
  const fixture = await openApiFixture(1);
  try {
    const { db } = fixture;
    const promotionId = ulid();
    const intent = { promotionId, model: MODEL, version: 1, actor: 'test', reason: 'test' };
    await announcePromotion(db, { ...intent, expectedGeneration: 0 });
    // As the killed process left it: this one has no such package.
    await answerPromotion(db, { promotionId, replicaId: 'a', ok: true, error: null });
    await db
      .updateTable('model_version')
      .set({ package_digest: 'f'.repeat(64) })
      .execute();
    await fixture.open('a');
    await eventually('it answers for itself', async () => {
      return (await replicaReadiness(db, promotionId)).status === 'failed';
    });
  } finally {
    await fixture.close();
  }
});

it('a replica follows the registry also where it comes out of a backup', async () => {
  const fixture = await openApiFixture(2);
  try {
    const { host, replica } = await fixture.open('a');
    for (const version of [1, 2]) {
      await fixture.promote(version);
      await replica.poll();
    }
    assert.deepEqual(host.active(MODEL)?.served.version, 2);
    await fixture.db
      .updateTable('model_state')
      .set({ generation: 1, champion_version: 1 })
      .where('model', '=', MODEL)
      .execute();
    await replica.poll();
    assert.deepEqual(
      [host.active(MODEL)?.served.version, host.active(MODEL)?.served.generation],
      [1, 1],
    );
  } finally {
    await fixture.close();
  }
});

it('a promotion needs no replica: with none alive it goes through at once', async () => {
  const fixture = await openApiFixture(1);
  try {
    assert.deepEqual(await fixture.promote(1), { status: 'promoted', generation: 1 });
  } finally {
    await fixture.close();
  }
});
