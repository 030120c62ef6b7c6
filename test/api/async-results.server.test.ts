import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AsyncResults, type AsyncWork } from '../../api/async-results.ts';
import type { Caller } from '../../api/auth.ts';
import { openDatabase } from '../../registry/db.ts';
import { createKey } from '../../registry/keys.ts';
import { MODEL } from '../support/registry-facts.ts';
import {
  eventually,
  INSTRUMENT,
  memoryLog,
  NOW,
  openApiFixture,
  type ApiFixture,
} from '../support/api-fixture.ts';
import type { TestReplica } from '../support/api-fixture.ts';

let fixture: ApiFixture;
let api: TestReplica;
let other: TestReplica;
before(async () => {
  fixture = await openApiFixture(1);
  [api, other] = [await fixture.open('a'), await fixture.open('b')];
  await fixture.promote(1);
  await eventually('the champion answers', async () => {
    const { status } = await api.call('POST', `${MODEL_PATH}/predict`, { record: false });
    return status === 200;
  });
});
after(() => fixture.close());

const MODEL_PATH = `/api/v1/ml-models/${MODEL}`;
const LATER = { prefer: 'handling=lenient, Respond-Async; foo=bar' };
const HOUR_MS = 3_600_000;

async function ended(on: TestReplica, id: string, key?: string) {
  const options = key === undefined ? {} : { key };
  let answer = await on.call('GET', `/api/v1/results/${id}`, undefined, options);
  await eventually('the result', async () => {
    answer = await on.call('GET', `/api/v1/results/${id}`, undefined, options);
    return answer.status !== 202;
  });
  return answer;
}

const newKey = async (change: object = {}): Promise<string> => {
  const made = await createKey(fixture.db, {
    ...{ name: 'desk', scopes: ['predict'] as const, models: [], expiresAt: null },
    ...change,
  });
  await Promise.all([api, other].map((replica) => replica.parts.keys.refresh()));
  return made.token;
};

const asked: readonly (readonly [string, object, readonly string[]])[] = [
  [`${MODEL_PATH}/predict`, { asOf: '2019-06-03', instrument: INSTRUMENT }, ['asOf', 'horizons']],
  [`${MODEL_PATH}/batch-predict`, { items: [{}, { instrument: 'NONE' }] }, ['failed', 'version']],
  ['/api/v1/signals', { model: MODEL }, ['recommendation', 'score']],
];
for (const [path, body, parts] of asked) {
  test(`POST ${path.split('/').at(-1)!} answers later, on any replica, as it would have at once`, async () => {
    const {
      status,
      body: accepted,
      headers,
    } = await api.call('POST', path, body, { headers: LATER });
    assert.equal(status, 202, JSON.stringify(accepted));
    const id = String(accepted['id']);
    assert.deepEqual([accepted['status'], accepted['durable']], ['pending', true]);
    assert.equal(headers.get('location'), `/api/v1/results/${id}`);
    assert.equal(headers.get('preference-applied'), 'respond-async');
    assert.ok(Number(headers.get('retry-after')) > 0);
    const later = await ended(other, id);
    const now = await api.call('POST', path, body);
    assert.deepEqual([later.status, now.status], [200, 200]);
    for (const part of parts) assert.deepEqual(later.body[part], now.body[part], part);
  });
}

test('what is wrong with the body is said at once; what fails later is said by the result', async () => {
  const wrong = await api.call('POST', `${MODEL_PATH}/predict`, { asof: 1 }, { headers: LATER });
  assert.equal(wrong.status, 422);
  const { body } = await api.call(
    'POST',
    `${MODEL_PATH}/predict`,
    { version: 99 },
    { headers: LATER },
  );
  const failed = await ended(api, String(body['id']));
  assert.deepEqual([failed.status, failed.body['code']], [422, 'result.failed']);
  const problem = failed.body['problem'] as unknown as Record<string, unknown>;
  assert.deepEqual([problem['status'], problem['code']], [404, 'version.unknown']);
});

test('a result is for the key that asked and for admins, and for keys of its model alone', async () => {
  const [mine, theirs] = [await newKey(), await newKey()];
  const narrow = await newKey({ scopes: ['admin'], models: ['another'] });
  const { body } = await api.call(
    'POST',
    `${MODEL_PATH}/predict`,
    {},
    { headers: LATER, key: mine },
  );
  const id = String(body['id']);
  assert.equal((await ended(api, id, mine)).status, 200);
  for (const replica of [api, other]) {
    assert.equal((await ended(replica, id)).status, 200, 'the admin');
    for (const key of [theirs, narrow]) {
      const answer = await replica.call('GET', `/api/v1/results/${id}`, undefined, { key });
      assert.deepEqual([answer.status, answer.body['code']], [404, 'result.not-found']);
    }
  }
  assert.equal((await api.call('GET', '/api/v1/results/nonsense')).status, 400);
});

test('it ends an hour after it was computed, and is then forgotten', async () => {
  const { body } = await api.call('POST', `${MODEL_PATH}/predict`, {}, { headers: LATER });
  const id = String(body['id']);
  await ended(other, id);
  try {
    fixture.clock.now = NOW + HOUR_MS - 1000;
    assert.equal((await other.call('GET', `/api/v1/results/${id}`)).status, 200);
    fixture.clock.now = NOW + HOUR_MS + 1000;
    assert.equal((await other.call('GET', `/api/v1/results/${id}`)).status, 404);
    await other.parts.results.forget();
    const left = await fixture.db.selectFrom('result').select('id').where('id', '=', id).execute();
    assert.deepEqual(left, []);
  } finally {
    fixture.clock.now = NOW;
  }
});

const caller = (keyId: string): Caller => ({ keyId, name: 'x', scopes: ['predict'], models: [] });
const work = (change: Partial<AsyncWork> = {}): AsyncWork => ({
  ...{ model: MODEL, caller: caller('aaaaaaaaaa'), requestId: 'r', bytes: 10 },
  compute: () => Promise.resolve({ contentType: 'application/json', text: '{"x":1}' }),
  ...change,
});
const held = () => {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const compute: AsyncWork['compute'] = async () => {
    await gate;
    return { contentType: 'application/json', text: '{"x":1}' };
  };
  return { compute, release: () => release() };
};
const openResults = (replicaId: string, db = fixture.db) =>
  new AsyncResults({ db, replicaId, log: memoryLog(), now: () => fixture.clock.now });

test('a full queue refuses: of one key with 429, of all with 503, of bytes with 503', async () => {
  const results = openResults('full');
  const { compute, release } = held();
  const ask = (keyId: string, bytes = 10) =>
    results.accept(work({ caller: caller(keyId), compute, bytes }));
  for (let i = 0; i < 16; i++) await ask('key-0');
  await assert.rejects(ask('key-0'), { code: 'result.too-many', retryAfterS: 5 });
  await assert.rejects(ask('key-1', 65 * 1024 * 1024), { code: 'result.overloaded' });
  for (let k = 1; k < 4; k++) for (let i = 0; i < 16; i++) await ask(`key-${k}`);
  await assert.rejects(ask('key-9'), { code: 'result.overloaded', retryAfterS: 5 });
  release();
  await eventually('all are computed', () => results.pending === 0);
  assert.ok((await ask('key-0')).durable);
  await results.stop();
});

test('a process that died has lost what was pending: others say so, and its next run too', async () => {
  const { compute } = held();
  const dead = openResults('dead');
  const { id } = await dead.accept(work({ compute }));
  const mine = caller('aaaaaaaaaa');
  assert.deepEqual(await dead.find(mine, id), { status: 'pending', durable: true });
  // It never had a lease here, so it counts as gone for the others.
  const seen = await openResults('alive').find(mine, id);
  assert.equal(seen.status === 'failed' && seen.problem['code'], 'result.lost');
  const next = openResults('dead');
  await next.flush();
  const row = await fixture.db
    .selectFrom('result')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  assert.equal(row.status, 'failed');
});

test('a replica with a lease is waited for; one that stops says what it leaves', async () => {
  const { compute } = held();
  const { id } = await api.parts.results.accept(work({ compute }));
  const mine = caller('aaaaaaaaaa');
  assert.equal((await other.parts.results.find(mine, id)).status, 'pending');
  const stopping = openResults('stops');
  const quick = await stopping.accept(work());
  await eventually('it is computed', () => stopping.pending === 0);
  const left: string[] = [];
  for (let i = 0; i < 3; i++) left.push((await stopping.accept(work({ compute }))).id);
  await stopping.stop();
  assert.equal((await other.parts.results.find(mine, quick.id)).status, 'done');
  for (const one of left) {
    const found = await other.parts.results.find(mine, one);
    assert.equal(found.status === 'failed' && found.problem['code'], 'result.lost');
  }
});

test('without a database this replica alone keeps it, and brings it there later', async () => {
  const away = openDatabase('postgres://nobody@127.0.0.1:1/none', { max: 1 });
  const gate = { db: away };
  const db = new Proxy(fixture.db, {
    get: (_target, name) => {
      const value: unknown = Reflect.get(gate.db, name);
      return typeof value === 'function' ? value.bind(gate.db) : value;
    },
  });
  const results = openResults('island', db);
  const { id, durable } = await results.accept(work());
  assert.equal(durable, false);
  await eventually('it is computed', () => results.pending === 0);
  const mine = caller('aaaaaaaaaa');
  assert.equal((await results.find(mine, id)).status, 'done');
  await assert.rejects(other.parts.results.find(mine, id), { code: 'result.not-found' });
  gate.db = fixture.db;
  await results.flush();
  assert.deepEqual(await other.parts.results.find(mine, id), {
    ...{ status: 'done', contentType: 'application/json', text: '{"x":1}' },
  });
  await results.stop();
  await away.destroy();
});
