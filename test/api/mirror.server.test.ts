import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { deliverNext, outboxState } from '../../registry/outbox.ts';
import { openApiFixture, type ApiFixture, type TestReplica } from '../support/api-fixture.ts';

const REBUILD = '/api/v1/mirror/rebuild';

describe('rebuilding the mirror', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    await fixture.promote(1);
  });
  after(() => fixture.close());

  /** Delivers all that waits; the names of it. */
  async function deliverAll(): Promise<string[]> {
    const kinds: string[] = [];
    const deliver = ({ message }: { message: { kind: string } }): Promise<void> => {
      kinds.push(message.kind);
      return Promise.resolve();
    };
    while ((await deliverNext(fixture.db, deliver)) === 'delivered');
    return kinds.sort();
  }

  it('enqueues what was delivered before again, and says who asked', async () => {
    const before = await deliverAll();
    assert.equal((await outboxState(fixture.db)).open, 0);
    const { status, body } = await replica.call('POST', REBUILD);
    assert.deepEqual([status, body], [202, { messages: 3 }]);
    assert.deepEqual(await deliverAll(), before);
    assert.deepEqual(before, ['champion-changed', 'version-registered', 'version-registered']);
    const audit = await replica.call('GET', '/api/v1/audit?object=mirror/mlflow');
    const [entry] = audit.body['items'] as unknown as Record<string, unknown>[];
    assert.deepEqual([entry?.['action'], entry?.['after']], ['mirror.rebuild', { messages: 3 }]);
  });

  it('is for keys of all models only', async () => {
    const keyBody = { name: 'one', scopes: ['admin'], models: ['index-gspc'] };
    const { body } = await replica.call('POST', '/api/v1/keys', keyBody);
    const key = String(body['token']);
    assert.equal((await replica.call('POST', REBUILD, undefined, { key })).status, 403);
    assert.equal((await outboxState(fixture.db)).open, 0);
  });
});
