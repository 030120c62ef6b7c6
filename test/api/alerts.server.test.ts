import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { temporalAway } from '../../api/errors.ts';
import { composeAlert } from '../../core/alerts/index.ts';
import { openDeliveries, recordAlert, recordAttempt } from '../../registry/alerts.ts';
import { openApiFixture, type ApiFixture, type TestReplica } from '../support/api-fixture.ts';

interface AlertView {
  readonly id: string;
  readonly event: string;
  readonly model: string | null;
  readonly words: string;
  readonly evidence: string | null;
  readonly deliveries: readonly { readonly webhook: string; readonly status: string }[];
}

describe('alerts over HTTP', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let trials = 0;
  before(async () => {
    fixture = await openApiFixture(1);
    replica = await fixture.open('a');
  });
  after(() => fixture.close());
  beforeEach(() => {
    fixture.orchestrator.away = undefined;
  });

  const record = async (model: string): Promise<string> => {
    const alert = composeAlert('trial.undecided', {
      ...{ model, asOf: '2020-01-03T00:00:00.000Z', version: 2, trialId: `T${trials++}` },
      reasons: [],
    });
    await recordAlert(fixture.db, alert);
    return alert.id;
  };
  const list = async (query = '', key?: string): Promise<AlertView[]> => {
    const options = key === undefined ? {} : { key };
    const answer = await replica.call('GET', `/api/v1/alerts${query}`, undefined, options);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body['items'] as unknown as AlertView[];
  };
  const narrowKey = async (model: string): Promise<string> => {
    const body = { name: 'narrow', scopes: ['read'], models: [model] };
    return String((await replica.call('POST', '/api/v1/keys', body)).body['token']);
  };

  it('shows what happened, newest first, and who was told', async () => {
    const [a, b] = [await record('sim-list'), await record('sim-list')];
    await openDeliveries(fixture.db, a, ['ops']);
    const attempt = {
      alertId: a,
      webhook: 'ops',
      status: 'pending',
      error: 'it answered 500',
    } as const;
    await recordAttempt(fixture.db, attempt);
    const items = await list('?model=sim-list');
    assert.deepEqual(
      items.map(({ id }) => id),
      [b, a],
    );
    assert.deepEqual(items[1]?.deliveries, [
      {
        ...{ webhook: 'ops', status: 'pending', attempts: 1 },
        ...{ lastError: 'it answered 500', deliveredAt: null },
      },
    ]);
    assert.deepEqual(items[0]?.deliveries, []);
    assert.match(items[0]?.words ?? '', /ended undecided/);
    const page = await replica.call('GET', '/api/v1/alerts?model=sim-list&limit=1');
    assert.equal(page.body['nextCursor'], b);
    assert.deepEqual(
      (await list(`?model=sim-list&limit=1&before=${b}`)).map(({ id }) => id),
      [a],
    );
    assert.deepEqual(await list('?model=sim-list&event=drift.detected'), []);
    assert.equal((await replica.call('GET', '/api/v1/alerts?event=nothing')).status, 400);
  });

  it('a key for some models sees theirs alone', async () => {
    const [mine, theirs] = [await record('sim-mine'), await record('sim-theirs')];
    const sent = await replica.call('POST', '/api/v1/alerts/test', {});
    const test = String(sent.body['id']);
    const key = await narrowKey('sim-mine');
    assert.deepEqual(
      (await list('', key)).map(({ id }) => id),
      [mine],
    );
    assert.deepEqual(await list('?model=sim-theirs', key), []);
    const one = async (id: string): Promise<unknown[]> => {
      const { status, body } = await replica.call('GET', `/api/v1/alerts/${id}`, undefined, {
        key,
      });
      return [status, body['code']];
    };
    assert.deepEqual(await one(mine), [200, undefined]);
    const absent = await one(`alert_${'0'.repeat(32)}`);
    assert.deepEqual(absent, [404, 'alert.unknown']);
    assert.deepEqual(await one(theirs), absent);
    assert.deepEqual(await one(test), absent);
  });

  it('sends a test: on record, in the audit, its workflow started', async () => {
    const { status, body } = await replica.call('POST', '/api/v1/alerts/test', { webhook: 'ops' });
    assert.equal(status, 202);
    const id = String(body['id']);
    assert.deepEqual(fixture.orchestrator.alerts.at(-1), id);
    const [newest] = await list();
    assert.deepEqual([newest?.id, newest?.event, newest?.model], [id, 'alert.test', null]);
    const audit = await replica.call('GET', `/api/v1/audit?object=alert/${id}`);
    assert.equal((audit.body['items'] as unknown as { action: string }[])[0]?.action, 'alert.test');
    const again = await replica.call('POST', '/api/v1/alerts/test', { webhook: 'ops' });
    assert.notEqual(again.body['id'], id, 'each test is one of its own');
  });

  it('puts no test on record that nobody can send', async () => {
    fixture.orchestrator.away = temporalAway(new Error('connect ECONNREFUSED'));
    const before = (await list('?event=alert.test')).length;
    assert.equal((await replica.call('POST', '/api/v1/alerts/test', {})).status, 503);
    assert.equal((await list('?event=alert.test')).length, before);
  });
});
