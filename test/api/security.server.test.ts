import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KeyCache } from '../../api/key-cache.ts';
import { routeTable } from '../../api/route-table.ts';
import { WRONG_KEYS_PER_MINUTE } from '../../api/wrong-key-limit.ts';
import { createKey, newKeyToken, revokeKey } from '../../registry/keys.ts';
import { seeded } from '../support/made-bars.ts';
import { malformedBody } from '../support/malformed-bodies.ts';
import {
  ADMIN,
  INSTRUMENT,
  memoryLog,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

const MALFORMED = 1_000;

const SPACE = 0x20;

const concrete = (path: string): string =>
  path
    .replace('{name}', MODEL)
    .replace('{id}', '01J00000000000000000000001')
    .replace('{version}', '1')
    .replace('{metric}', 'h7.rmse')
    .replace('{file}', 'start.js');

describe('who may do what', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  before(async () => {
    fixture = await openApiFixture(1);
    replica = await fixture.open('a');
  });
  after(() => fixture.close());

  const makeKey = async (scopes: string[], models: string[] = []): Promise<string> => {
    const made = await replica.call('POST', '/api/v1/keys', { name: 'test', scopes, models });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return String(made.body['token']);
  };

  it('has a policy for every route, and a route for every policy', () => {
    const registered = replica.app.routes
      .filter((route) => route.method !== 'ALL')
      .map((route) => `${route.method} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}`);
    assert.deepEqual([...new Set(registered)].sort(), Object.keys(routeTable).sort());
  });

  it('answers 401 without a key on every route that is not public', async () => {
    for (const [route, entry] of Object.entries(routeTable)) {
      const [method, path] = route.split(' ') as [string, string];
      const { status, body } = await replica.call(method, concrete(path), undefined, { key: null });
      if (entry.policy === 'public') assert.notEqual(status, 401, route);
      else {
        assert.equal(status, 401, `${route}: ${status}`);
        assert.equal(body['code'], 'key.invalid');
      }
    }
  });

  it('answers 403 to a key without the scope, on every route', async () => {
    const readOnly = await makeKey(['read']);
    const predictOnly = await makeKey(['predict']);
    for (const [route, { policy }] of Object.entries(routeTable)) {
      const [method, path] = route.split(' ') as [string, string];
      for (const [key, scope] of [
        [readOnly, 'read'],
        [predictOnly, 'predict'],
      ] as const) {
        if (policy === 'public' || policy === scope) continue;
        const { status } = await replica.call(method, concrete(path), undefined, { key });
        assert.equal(status, 403, `${route} with ${scope}`);
      }
    }
  });

  it('hides other models from a key for one model, with the same answer as for none', async () => {
    const key = await makeKey(['read', 'predict', 'promote'], ['other-model']);
    const hidden = await replica.call('GET', `/api/v1/ml-models/${MODEL}`, undefined, { key });
    const absent = await replica.call('GET', '/api/v1/ml-models/no-such', undefined, { key });
    assert.equal(hidden.status, 404);
    assert.equal(hidden.body['code'], absent.body['code']);
    const list = await replica.call('GET', '/api/v1/ml-models', undefined, { key });
    assert.deepEqual(list.body['items'], []);
    const promote = await replica.call(
      'POST',
      `/api/v1/ml-models/${MODEL}/promote`,
      { version: 1 },
      { key },
    );
    assert.equal(promote.status, 404);
    const events = await replica.call(
      'GET',
      '/api/v1/experiments/01J00000000000000000000001/events',
      undefined,
      { key },
    );
    assert.equal(events.status, 404);
  });

  it('a page of models ends at a model that the key is for', async () => {
    const key = await makeKey(['read'], ['zz-model']);
    const list = await replica.call('GET', '/api/v1/ml-models?limit=1', undefined, { key });
    assert.deepEqual([list.body['items'], list.body['nextCursor']], [[], null]);
  });

  it('a key for some models cannot widen itself, nor see what speaks of all', async () => {
    const key = await makeKey(['admin'], [MODEL]);
    const wide = { name: 'wide', scopes: ['admin'] };
    for (const [method, path, body] of [
      ['POST', '/api/v1/keys', wide],
      ['GET', '/api/v1/keys', undefined],
      ['DELETE', '/api/v1/keys/aaaaaaaaaa', undefined],
      ['GET', '/api/v1/audit', undefined],
    ] as const) {
      const answer = await replica.call(method, path, body, { key });
      assert.deepEqual([answer.status, answer.body['code']], [403, 'key.models'], path);
    }
    const own = await replica.call('PUT', `/api/v1/ml-models/${MODEL}`, { group: null }, { key });
    assert.equal(own.status, 200);
  });

  it('a key that was looked up and revoked elsewhere between two refreshes is forgotten', async () => {
    const keys = new KeyCache({ db: fixture.db, stateDir: fixture.folder, log: memoryLog() });
    await keys.refresh();
    const { id } = await createKey(fixture.db, {
      ...{ name: 'brief', scopes: ['read'], models: [], expiresAt: null },
    });
    assert.equal((await keys.find(id))?.revokedAt, null);
    await revokeKey(fixture.db, id);
    await keys.refresh();
    assert.notEqual((await keys.find(id))?.revokedAt, null);
  });

  it('refuses revoked and expired keys, at once on the replica that revoked', async () => {
    const key = await makeKey(['read']);
    assert.equal((await replica.call('GET', '/api/v1/ml-models', undefined, { key })).status, 200);
    const id = key.split('_')[1]!;
    assert.equal((await replica.call('DELETE', `/api/v1/keys/${id}`)).status, 204);
    assert.equal((await replica.call('GET', '/api/v1/ml-models', undefined, { key })).status, 401);
    assert.equal((await replica.call('DELETE', `/api/v1/keys/${id}`)).status, 404);
    const past = { name: 'late', scopes: ['read'], expiresAt: '2019-01-01' };
    assert.equal((await replica.call('POST', '/api/v1/keys', past)).status, 422);
    const soon = { name: 'soon', scopes: ['read'], expiresAt: '2020-01-04T00:00:00Z' };
    const made = await replica.call('POST', '/api/v1/keys', soon);
    const brief = String(made.body['token']);
    assert.equal(
      (await replica.call('GET', '/api/v1/ml-models', undefined, { key: brief })).status,
      200,
    );
    const before = fixture.clock.now;
    fixture.clock.now = Date.parse('2020-01-04T00:00:01Z');
    assert.equal(
      (await replica.call('GET', '/api/v1/ml-models', undefined, { key: brief })).status,
      401,
    );
    fixture.clock.now = before;
  });

  it('never shows a secret: keys are listed without token and hash', async () => {
    const token = await makeKey(['read']);
    const { body } = await replica.call('GET', '/api/v1/keys');
    // The secret itself may hold underscores.
    const secret = token.split('_').slice(2).join('_');
    assert.ok(secret.length >= 20 && !JSON.stringify(body).includes(secret));
    assert.ok(!JSON.stringify(body).includes('hash'));
  });

  it('refuses foreign hosts and origins', async () => {
    const ask = (headers: Record<string, string>) =>
      replica.app.request('http://localhost/api/v1/ml-models', {
        headers: { authorization: `Bearer ${ADMIN}`, ...headers },
      });
    assert.equal((await ask({})).status, 200);
    assert.equal((await ask({ host: 'evil.example' })).status, 403);
    assert.equal((await ask({ origin: 'http://evil.example', host: 'localhost' })).status, 403);
    assert.equal((await ask({ origin: 'null', host: 'localhost' })).status, 403);
    const answer = await ask({ origin: 'http://localhost', host: 'localhost' });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  });

  it('says 405 with Allow, 404 for no route, 415 for what is not JSON', async () => {
    const wrong = await replica.call('PATCH', `/api/v1/ml-models/${MODEL}`);
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get('allow'), 'GET, PUT, DELETE');
    assert.equal((await replica.call('GET', '/api/v1/nothing')).status, 404);
    const path = `/api/v1/ml-models/${MODEL}/predict`;
    const headers = { 'content-type': 'text/plain' };
    assert.equal((await replica.call('POST', path, '{}', { headers })).status, 415);
    const gzip = { 'content-encoding': 'gzip' };
    assert.equal((await replica.call('POST', path, '{}', { headers: gzip })).status, 415);
  });

  it('refuses bodies over the limit before any handler, however they are declared', async () => {
    await fixture.promote(1);
    await replica.replica.poll();
    const served = `/api/v1/ml-models/${MODEL}/predict`;
    assert.equal((await replica.call('POST', served, { confidence: 'none' })).status, 200);
    const before = await predictions(replica);
    assert.notEqual(before, '');
    const path = `http://localhost/api/v1/ml-models/${MODEL}/predict`;
    const authorization = `Bearer ${ADMIN}`;
    // Valid in all but its size: a handler that saw it would answer and count it.
    const big = `{"confidence":"none"${' '.repeat(5 * 1024 * 1024)}}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const whole = await replica.app.request(path, { method: 'POST', headers, body: big });
    assert.equal(whole.status, 413);
    const understated = await replica.app.request(path, {
      method: 'POST',
      headers: { ...headers, 'content-length': '2' },
      body: big,
    });
    assert.equal(understated.status, 413);
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(SPACE));
      },
    });
    const chunked = await replica.app.request(
      new Request(path, { method: 'POST', headers, body: endless, duplex: 'half' } as RequestInit),
    );
    assert.equal(chunked.status, 413);
    assert.ok(sent < 6 * 1024 * 1024, `${sent} bytes were taken`);
    assert.equal(await predictions(replica), before);
  });

  it(`answers ${MALFORMED} malformed bodies with a problem, never with 5xx`, async () => {
    const random = seeded(20_260_101);
    for (let n = 0; n < MALFORMED; n++) {
      const body = malformedBody(random, n);
      const answer = await replica.call('POST', `/api/v1/ml-models/${MODEL}/predict`, body);
      assert.ok(
        answer.status >= 400 && answer.status < 500,
        `body ${n} got ${answer.status}: ${body.slice(0, 200)}`,
      );
      assert.ok(answer.body['requestId'] && answer.body['code'], `body ${n}`);
      assert.doesNotMatch(JSON.stringify(answer.body), /node_modules|\.ts:|select |at async/i);
    }
    const after = await replica.call('POST', `/api/v1/ml-models/${MODEL}/predict`, {
      instrument: INSTRUMENT,
      confidence: 'none',
    });
    assert.equal(after.status, 200);
  });

  it('serves OpenAPI 3.1 with every route, and a page that loads nothing from elsewhere', async () => {
    const { body } = await replica.call('GET', '/openapi.json', undefined, { key: null });
    assert.equal(body['openapi'], '3.1.0');
    const documented = Object.entries(body['paths'] as unknown as Record<string, object>).flatMap(
      ([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    assert.deepEqual(documented.sort(), Object.keys(routeTable).sort());
    const paths = body['paths'] as unknown as Record<string, Record<string, Documented>>;
    const isRequired = (path: string) => paths[path]!['post']!.requestBody!.required;
    const [predict, promote] = ['predict', 'promote'].map(
      (word) => `/api/v1/ml-models/{name}/${word}`,
    );
    assert.deepEqual(
      [predict!, promote!, '/api/v1/experiments', '/v2/models/{name}/infer'].map(isRequired),
      [false, true, true, true],
    );
    const empty = await replica.app.request(`http://localhost/api/v1/ml-models/${MODEL}/predict`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN}` },
    });
    assert.equal(empty.status, 200);
    const root = await replica.app.request('http://localhost/');
    assert.deepEqual([root.status, root.headers.get('location')], [302, '/docs']);
    const page = await replica.app.request('http://localhost/docs');
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    const html = await page.text();
    assert.doesNotMatch(html, /https?:\/\//);
    for (const [, src] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      assert.equal((await replica.app.request(`http://localhost${src}`)).status, 200, src);
    }
  });

  // Last: it uses up the wrong keys of this address.
  it('locks an address to 429 after ten wrong keys; a right key still works', async () => {
    const limited = await fixture.open('locked');
    const wrong = ['rk_nobody', newKeyToken(), 'Basic x', '', `${ADMIN}x`, ADMIN.slice(0, -1)];
    for (let n = 0; n < WRONG_KEYS_PER_MINUTE; n++) {
      const key = wrong[n % wrong.length]!;
      assert.equal((await limited.call('GET', '/api/v1/keys', undefined, { key })).status, 401);
    }
    const locked = await limited.call('GET', '/api/v1/keys', undefined, { key: newKeyToken() });
    assert.equal(locked.status, 429);
    assert.ok(Number(locked.headers.get('retry-after')) > 0);
    assert.equal((await limited.call('GET', '/api/v1/keys')).status, 200);
  });
});

async function predictions(replica: TestReplica): Promise<string> {
  const { body } = await replica.call('GET', '/metrics');
  return String(body['text'])
    .split('\n')
    .filter((line) => line.startsWith('ratchet_predictions_total'))
    .join();
}

interface Documented {
  readonly requestBody?: { readonly required: boolean };
}
