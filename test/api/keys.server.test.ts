import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { routeTable } from '../../api/route-table.ts';
import {
  ADMIN,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

const MINUTE_MS = 60_000;
const idOf = (token: string): string => token.split('_')[1]!;

describe('rotation of keys', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let other: TestReplica;
  let start: number;
  before(async () => {
    fixture = await openApiFixture(1);
    [replica, other] = [await fixture.open('a'), await fixture.open('b')];
    start = fixture.clock.now;
  });
  after(() => fixture.close());

  const make = async (change: object = {}): Promise<string> => {
    const body = { name: 'desk', scopes: ['read', 'predict'], models: [MODEL], ...change };
    return String((await replica.call('POST', '/api/v1/keys', body)).body['token']);
  };
  const rotate = (id: string, body: object = {}, options = {}) =>
    replica.call('POST', `/api/v1/keys/${id}/rotate`, body, options);
  const opens = async (on: TestReplica, key: string): Promise<boolean> => {
    const { status } = await on.call('GET', `/api/v1/ml-models/${MODEL}`, undefined, { key });
    assert.ok(status === 200 || status === 401, String(status));
    return status === 200;
  };
  const at = async <T>(minutes: number, work: () => Promise<T>): Promise<T> => {
    fixture.clock.now = start + minutes * MINUTE_MS;
    try {
      return await work();
    } finally {
      fixture.clock.now = start;
    }
  };

  it('gives a new key of the same rights; the old one ends with the grace, on every replica', async () => {
    const old = await make();
    assert.deepEqual([await opens(replica, old), await opens(other, old)], [true, true]);
    const { status, body } = await rotate(idOf(old), { graceMinutes: 30 });
    assert.equal(status, 201);
    const token = String(body['token']);
    assert.notEqual(idOf(token), idOf(old));
    assert.deepEqual(body['former'], {
      id: idOf(old),
      expiresAt: new Date(start + 30 * MINUTE_MS).toISOString(),
    });
    await other.parts.keys.refresh();
    for (const on of [replica, other]) {
      assert.deepEqual([await opens(on, token), await opens(on, old)], [true, true], 'within it');
      await at(29, async () => assert.equal(await opens(on, old), true));
      await at(31, async () => {
        assert.deepEqual([await opens(on, token), await opens(on, old)], [true, false], 'after it');
      });
    }
    const { items } = (await replica.call('GET', '/api/v1/keys')).body as unknown as {
      items: { id: string; name: string; scopes: string[]; models: string[]; expiresAt: unknown }[];
    };
    const rights = ({ name, scopes, models }: (typeof items)[number]) => [name, scopes, models];
    const [made, former] = [token, old].map((key) => items.find(({ id }) => id === idOf(key))!);
    assert.deepEqual(rights(made!), rights(former!));
    assert.equal(made!.expiresAt, null);
  });

  it('has a grace of an hour where none is asked for, and none at all where 0 is', async () => {
    const [calm, hasty] = [await make(), await make()];
    const { body } = await rotate(idOf(calm));
    const { expiresAt } = body['former'] as unknown as { expiresAt: string };
    assert.equal(Date.parse(expiresAt), start + 60 * MINUTE_MS);
    assert.equal(await opens(replica, hasty), true);
    assert.equal((await rotate(idOf(hasty), { graceMinutes: 0 })).status, 201);
    assert.equal(await opens(replica, hasty), false);
    for (const graceMinutes of [-1, 10_081, 1.5, '60'])
      assert.equal((await rotate(idOf(calm), { graceMinutes })).status, 422);
  });

  it('never prolongs a key: old and new end when the old one was to end', async () => {
    const expiresAt = new Date(start + 10 * MINUTE_MS).toISOString();
    const old = await make({ expiresAt });
    const { body } = await rotate(idOf(old), { graceMinutes: 60 });
    assert.equal((body['former'] as unknown as { expiresAt: string }).expiresAt, expiresAt);
    await at(11, async () => {
      assert.equal(await opens(replica, old), false);
      assert.equal(await opens(replica, String(body['token'])), false);
    });
  });

  it('replaces a key once: of two at the same time one wins, a repeat learns which key there is', async () => {
    const old = await make();
    const both = await Promise.all([rotate(idOf(old)), rotate(idOf(old))]);
    assert.deepEqual(new Set(both.map(({ status }) => status)), new Set([201, 409]));
    const won = both.find(({ status }) => status === 201)!.body;
    const again = await rotate(idOf(old));
    assert.deepEqual([again.status, again.body['code']], [409, 'key.replaced']);
    assert.match(String(again.body['detail']), new RegExp(`replaced by ${String(won['id'])}`));
    // Also once its grace is over.
    await at(61, async () => assert.equal((await rotate(idOf(old))).body['code'], 'key.replaced'));
    // What was lost is got by rotating the new one.
    assert.equal((await rotate(String(won['id']), { graceMinutes: 0 })).status, 201);
  });

  it('refuses a key that is revoked, expired or none', async () => {
    const [revoked, expired] = [
      await make(),
      await make({ expiresAt: new Date(start + MINUTE_MS).toISOString() }),
    ];
    await replica.call('DELETE', `/api/v1/keys/${idOf(revoked)}`);
    assert.equal((await rotate(idOf(revoked))).status, 404);
    await at(2, async () => assert.equal((await rotate(idOf(expired))).status, 404));
    assert.equal((await rotate('aaaaaaaaaa')).status, 404);
    assert.equal((await rotate('no-id')).status, 400);
  });

  it('is for admins of all models, is on record, and shows no secret', async () => {
    const old = await make();
    const narrow = await make({ scopes: ['admin'] });
    assert.equal((await rotate(idOf(old), {}, { key: old })).status, 403);
    const widened = await rotate(idOf(old), {}, { key: narrow });
    assert.deepEqual([widened.status, widened.body['code']], [403, 'key.models']);
    const { body } = await rotate(idOf(old));
    const { items } = (await replica.call('GET', `/api/v1/audit?object=key/${idOf(old)}`))
      .body as unknown as { items: { action: string; actor: string; after: object }[] };
    const entry = items.find(({ action }) => action === 'key.rotate');
    assert.equal(entry?.actor, idOf(ADMIN));
    assert.equal((entry.after as { replacedBy: string }).replacedBy, body['id']);
    const secret = String(body['token']).split('_').slice(2).join('_');
    assert.ok(!JSON.stringify(items).includes(secret));
  });
});

describe('the last admin key', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  before(async () => {
    fixture = await openApiFixture(1);
    replica = await fixture.open('a');
  });
  after(() => fixture.close());

  const admin = async (change: object = {}): Promise<string> => {
    const body = { name: 'second', scopes: ['admin'], ...change };
    return String((await replica.call('POST', '/api/v1/keys', body)).body['token']);
  };
  const revoke = (key: string, by = ADMIN) =>
    replica.call('DELETE', `/api/v1/keys/${idOf(key)}`, undefined, { key: by });

  it('is not revoked while no other one is valid for all models', async () => {
    const expiresAt = new Date(fixture.clock.now + MINUTE_MS).toISOString();
    await admin({ models: [MODEL] });
    const brief = await admin({ expiresAt });
    await revoke(await admin());
    fixture.clock.now += 2 * MINUTE_MS;
    const { status, body } = await revoke(ADMIN);
    assert.deepEqual([status, body['code']], [409, 'key.last-admin']);
    assert.match(String(body['detail']), /make another admin key first/);
    assert.equal((await revoke(brief)).status, 204, 'one that has expired is no last one');
    assert.equal((await replica.call('GET', '/api/v1/keys')).status, 200);
  });

  it('stays where two revoke each other at the same time', async () => {
    const other = await admin();
    const both = await Promise.all([revoke(ADMIN, other), revoke(other, ADMIN)]);
    assert.deepEqual(new Set(both.map(({ status }) => status)), new Set([204, 409]));
  });
});

describe('keys for some models', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let key: string;
  before(async () => {
    fixture = await openApiFixture(1);
    replica = await fixture.open('a');
    const scopes = ['read', 'experiment', 'predict', 'promote', 'admin'];
    const body = { name: 'narrow', scopes, models: ['other-model'] };
    key = String((await replica.call('POST', '/api/v1/keys', body)).body['token']);
  });
  after(() => fixture.close());

  const concrete = (path: string): string =>
    path
      .replace('{name}', MODEL)
      .replace('{id}', '01J00000000000000000000001')
      .replace('{version}', '1')
      .replace('{metric}', 'h7.rmse');
  const routes = Object.entries(routeTable)
    .filter(([, { policy }]) => policy !== 'public')
    .map(([route]) => route.split(' ') as [string, string]);

  it('open no route of another model, with any scope: 404, as for a model that is not', async () => {
    const ofModels = routes.filter(([, path]) => path.includes('{name}'));
    assert.ok(ofModels.length > 20);
    for (const [method, path] of ofModels) {
      const { status, body } = await replica.call(method, concrete(path), undefined, { key });
      assert.deepEqual([status, body['code']], [404, 'model.not-found'], `${method} ${path}`);
    }
  });

  /** How each route without a model in its path treats such a key; a new one must be thought of here. */
  const ELSEWHERE: Readonly<
    Record<string, 'for all models only' | 'looks at the models' | 'of no model'>
  > = {
    'POST /api/v1/uploads': 'of no model',
    'POST /api/v1/experiments': 'looks at the models',
    'GET /api/v1/experiments': 'looks at the models',
    'GET /api/v1/experiments/{id}': 'looks at the models',
    'GET /api/v1/experiments/{id}/events': 'looks at the models',
    'GET /api/v1/experiments/{id}/search': 'looks at the models',
    'GET /api/v1/results/{id}': 'looks at the models',
    'GET /api/v1/batch-predictions': 'looks at the models',
    'GET /api/v1/batch-predictions/{id}': 'looks at the models',
    'GET /api/v1/batch-predictions/{id}/events': 'looks at the models',
    'GET /api/v1/batch-predictions/{id}/rows': 'looks at the models',
    'POST /api/v1/batch-predictions/{id}/cancel': 'looks at the models',
    'POST /api/v1/signals': 'looks at the models',
    'POST /api/v1/advice': 'looks at the models',
    'GET /api/v1/advice': 'looks at the models',
    'GET /api/v1/advice/comparison': 'looks at the models',
    'POST /api/v1/experiments/{id}/cancel': 'looks at the models',
    'POST /api/v1/backtests': 'looks at the models',
    'GET /api/v1/backtests': 'looks at the models',
    'GET /api/v1/backtests/{id}': 'looks at the models',
    'GET /api/v1/backtests/{id}/events': 'looks at the models',
    'GET /api/v1/backtests/{id}/files/{file}': 'looks at the models',
    'POST /api/v1/backtests/{id}/cancel': 'looks at the models',
    'GET /api/v1/ml-models': 'looks at the models',
    'POST /api/v1/ml-models': 'looks at the models',
    'GET /api/v1/datasets': 'of no model',
    'GET /api/v1/dataset-versions': 'of no model',
    'GET /api/v1/dataset-versions/{hash}/bars': 'of no model',
    'GET /api/v1/audit': 'for all models only',
    'POST /api/v1/mirror/rebuild': 'for all models only',
    'GET /api/v1/alerts': 'looks at the models',
    'GET /api/v1/alerts/{id}': 'looks at the models',
    'POST /api/v1/alerts/test': 'for all models only',
    'GET /api/v1/keys': 'for all models only',
    'POST /api/v1/keys': 'for all models only',
    'DELETE /api/v1/keys/{id}': 'for all models only',
    'POST /api/v1/keys/{id}/rotate': 'for all models only',
  };

  it('are thought of on every other route', () => {
    const other = routes.filter(([, path]) => !path.includes('{name}')).map((r) => r.join(' '));
    assert.deepEqual(other.toSorted(), Object.keys(ELSEWHERE).toSorted());
  });

  it('learn nothing where an answer speaks of all models', async () => {
    const bodies: Record<string, unknown> = {
      'POST /api/v1/keys': { name: 'wide', scopes: ['admin'] },
      'POST /api/v1/keys/{id}/rotate': {},
      'POST /api/v1/alerts/test': {},
    };
    for (const [route, treatment] of Object.entries(ELSEWHERE)) {
      if (treatment !== 'for all models only') continue;
      const [method, path] = route.split(' ') as [string, string];
      const at = path.replace('{id}', 'aaaaaaaaaa');
      const { status, body } = await replica.call(method, at, bodies[route], { key });
      assert.deepEqual([status, body['code']], [403, 'key.models'], route);
    }
  });

  it('see no model, experiment or start of one that is not theirs', async () => {
    const list = await replica.call('GET', '/api/v1/ml-models', undefined, { key });
    assert.deepEqual(list.body['items'], []);
    const spec = {
      ...{ name: 'x', model: MODEL },
      data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
    };
    const run = await replica.call('POST', '/api/v1/experiments', spec, { key });
    assert.equal(run.status, 404, JSON.stringify(run.body));
    const created = { name: MODEL, instruments: ['^GSPC'], timeframe: '1d' };
    const create = await replica.call('POST', '/api/v1/ml-models', created, { key });
    assert.equal(create.status, 404, JSON.stringify(create.body));
    const experiments = await replica.call('GET', '/api/v1/experiments', undefined, { key });
    assert.deepEqual(experiments.body['items'], []);
    const signal = await replica.call('POST', '/api/v1/signals', { model: MODEL }, { key });
    assert.equal(signal.status, 404, JSON.stringify(signal.body));
  });

  it('make no ensemble of versions of another model, nor see that it is there', async () => {
    const made = await replica.call('POST', '/api/v1/ml-models', {
      ...{ name: 'other-model', instruments: ['^GSPC'], timeframe: '1d' },
    });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const spec = (member: string) => ({
      ...{ name: 'x', model: 'other-model', family: 'ensemble' },
      data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
      hyperparameters: { members: [{ model: member, version: 'champion' }, { family: 'ridge' }] },
    });
    const template = { template: spec(MODEL) };
    for (const [method, path, body] of [
      ['POST', '/api/v1/experiments', spec(MODEL)],
      ['POST', '/api/v1/experiments', spec('no-such-model')],
      ['PUT', '/api/v1/ml-models/other-model', template],
    ] as const) {
      const answer = await replica.call(method, path, body, { key });
      assert.deepEqual([answer.status, answer.body['code']], [404, 'model.not-found'], path);
    }
    const unknown = await replica.call('POST', '/api/v1/experiments', spec('no-such-model'));
    assert.deepEqual([unknown.status, unknown.body['code']], [404, 'model.not-found']);
    // Who may use all models sets it; who may not does not start it either.
    const set = await replica.call('PUT', '/api/v1/ml-models/other-model', template);
    assert.equal(set.status, 200, JSON.stringify(set.body));
    const path = '/api/v1/ml-models/other-model/train';
    const order = { trainingDays: 1500 };
    const refused = await replica.call('POST', path, order, { key });
    assert.deepEqual([refused.status, refused.body['code']], [403, 'key.model']);
    const started = await replica.call('POST', path, order);
    assert.equal(started.status, 202, JSON.stringify(started.body));
  });
});
