import assert from 'node:assert/strict';
import { createServer, request, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { directPredict } from '../../api/direct-predict.ts';
import { ApiError } from '../../api/errors.ts';
import { InFlight } from '../../api/in-flight.ts';
import { BoundedMap } from '../../api/serving/bounded-map.ts';
import { createKey, newKeyToken } from '../../registry/keys.ts';
import {
  ADMIN,
  eventually,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';
import { trialScene } from '../support/trial-scene.ts';

const PATH = `/api/v1/ml-models/${MODEL}/predict`;

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

interface Said {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** `window` of the package's shape, as a caller sends one. */
const windowBody = (rows: number): string =>
  JSON.stringify({
    window: Array.from({ length: rows }, (_, r) =>
      Array.from({ length: 152 }, (__, c) => 1 + r / 7 + c / 3),
    ),
    ...{ instrument: INSTRUMENT, lastClose: 1000.5, openTime: '2020-01-02', confidence: 'none' },
  });

/** Says how many requests are under way. */
class CountedInFlight extends InFlight {
  now = 0;
  override enter(): boolean {
    this.now++;
    return super.enter();
  }
  override leave(): void {
    this.now--;
    super.leave();
  }
}

describe('plain predictions past the framework', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let limited: string;
  let blind: string;
  const servers: Server[] = [];
  let ordinary = 0;

  const listen = async (listener: Parameters<typeof createServer>[1]): Promise<number> => {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  let ports: { readonly framework: number; readonly direct: number };
  const inFlight = new CountedInFlight();
  let isDraining = false;

  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    await fixture.promote(1);
    await replica.replica.poll();
    const make = async (scopes: readonly ['predict'] | readonly ['read'], models: string[]) => {
      const key = { name: 'test', scopes, models, expiresAt: null };
      return (await createKey(fixture.db, key)).token;
    };
    limited = await make(['predict'], ['another']);
    blind = await make(['read'], []);
    // Else the first refresh in the background forgets, at some time, whom it has identified.
    await replica.parts.keys.refresh();
    const framework = getRequestListener(replica.app.fetch);
    const direct = directPredict({ ...replica.parts, inFlight }, (incoming, outgoing) => {
      ordinary++;
      void framework(incoming, outgoing);
    });
    const listenTo = (answer: RequestListener): Promise<number> =>
      listen((incoming, outgoing) => {
        // As api/server.ts does.
        if (isDraining) outgoing.setHeader('connection', 'close');
        answer(incoming, outgoing);
      });
    ports = {
      framework: await listenTo((incoming, outgoing) => void framework(incoming, outgoing)),
      direct: await listenTo(direct),
    };
  });
  after(async () => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await fixture.close();
  });

  const ask = (port: number, asked: Asked): Promise<Said> =>
    new Promise((resolve, reject) => {
      const { method = 'POST', path = PATH, body, key = ADMIN, headers = {} } = asked;
      const sent = request(
        {
          ...{ port, method, path },
          headers: {
            ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
            ...headers,
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode!, headers: response.headers, text }),
          );
        },
      );
      sent.on('error', reject).end(body);
    });

  /** Without what is another in every answer. */
  const plain = ({ status, headers, text }: Said): Said => {
    const id = /[0-9A-HJKMNP-TV-Z]{26}/g;
    const { date: _date, 'x-request-id': requestId, 'content-length': length, ...rest } = headers;
    assert.equal(Number(length), Buffer.byteLength(text));
    return {
      status,
      headers: { ...rest, 'x-request-id': String(requestId).startsWith('my-') ? requestId : 'new' },
      text: text
        .replace(id, 'ULID')
        .replace(/"generationAgeS":[\d.]+/, '"generationAgeS":0')
        .replace(/"requestId":"[0-9a-f]{12}-\w+"/, '"requestId":"new"'),
    };
  };

  /** Asks in both ways; gives the answer, and whether the framework had a part in it. */
  const both = async (asked: Asked): Promise<Said & { readonly direct: boolean }> => {
    const one = plain(await ask(ports.framework, asked));
    const before = ordinary;
    const other = plain(await ask(ports.direct, asked));
    assert.deepEqual(other, one);
    return { ...other, direct: ordinary === before };
  };

  const none = JSON.stringify({ instrument: INSTRUMENT, confidence: 'none' });

  it('answers as the framework does, and without it', async () => {
    // The first request with a key is identified in the ordinary way.
    await both({ body: none });
    const bodies = [
      none,
      '{"confidence":"none"}',
      '{}',
      '{ "confidence" : "none", "record": false }',
      JSON.stringify({ instrument: INSTRUMENT, confidence: 'none', version: 2 }),
      JSON.stringify({ instrument: INSTRUMENT, confidence: 'none', asOf: '2019-06-03' }),
      windowBody(20),
    ];
    for (const body of bodies) {
      for (let n = 0; n < 2; n++) {
        const said = await both({ body });
        assert.equal(said.status, 200, said.text);
        assert.equal(said.direct, true, body.slice(0, 80));
      }
    }
    const named = await both({ body: none, headers: { 'x-request-id': 'my-request-1' } });
    assert.deepEqual([named.direct, named.headers['x-request-id']], [true, 'my-request-1']);
    assert.equal(
      (await both({ body: none, headers: { 'x-routing-key': 'someone' } })).direct,
      true,
    );
  });

  it('leaves to the framework what is no plain request, or has no answer', async () => {
    const large = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]);
    const cases: readonly (readonly [number, Asked])[] = [
      [401, { body: none, key: '' }],
      [401, { body: none, key: newKeyToken() }],
      [403, { body: none, key: blind }],
      [404, { body: none, key: limited }],
      [404, { body: none, path: '/api/v1/ml-models/nobody/predict' }],
      [400, { body: '{"instrument":' }],
      [400, { body: '{"confidence":"none","confidence":"mc"}' }],
      [400, { body: large }],
      [422, { body: '{"confidence":"some"}' }],
      [422, { body: '{"confidence":"none","asOf":"2020-02-30"}' }],
      [422, { body: '{"confidence":"none","asOf":"2031-02-03"}' }],
      [422, { body: JSON.stringify({ instrument: 'OTHER', confidence: 'none' }) }],
      [422, { body: windowBody(19) }],
      [422, { body: windowBody(20).replace(/\[1,/, '[null,') }],
      [404, { body: JSON.stringify({ confidence: 'none', version: 77 }) }],
      [415, { body: none, headers: { 'content-type': 'text/plain' } }],
      [415, { body: none, headers: { 'content-encoding': 'gzip' } }],
      [403, { body: none, headers: { host: 'evil.example' } }],
      [403, { body: none, headers: { origin: 'https://evil.example' } }],
      [400, { body: none, headers: { 'x-routing-key': 'a'.repeat(200) } }],
      [405, { method: 'GET' }],
      [200, { body: JSON.stringify({ instrument: INSTRUMENT, emergency: true }) }],
      [200, { body: none, headers: { 'x-request-id': 'no good id' } }],
    ];
    for (const [status, asked] of cases) {
      const said = await both(asked);
      assert.equal(said.status, status, `${said.text} ${String(asked.body).slice(0, 80)}`);
    }
  });

  it('records each answer, with what was said', async () => {
    const answered: { id: string }[] = [];
    for (let n = 0; n < 5; n++) {
      const { text } = await ask(ports.direct, { body: none });
      answered.push(JSON.parse(text) as { id: string });
    }
    await replica.recorder.drain();
    for (const answer of answered) {
      const row = await fixture.db
        .selectFrom('prediction')
        .selectAll()
        .where('id', '=', answer.id)
        .executeTakeFirstOrThrow();
      assert.deepEqual(row.answer, answer);
      assert.deepEqual([row.role, row.model, row.input], ['champion', MODEL, 'instrument']);
    }
  });

  it('asks once for what has no answer, and says so as the framework does', async (t) => {
    const { serving } = replica.parts;
    const text = t.mock.method(serving, 'predictText');
    const answer = t.mock.method(serving, 'predict');
    const refuse = (error: Error): void => {
      text.mock.mockImplementation(() => Promise.reject(error));
      answer.mock.mockImplementation(() => Promise.reject(error));
    };
    const direct = async (body: string): Promise<Said> => {
      await ask(ports.framework, { body });
      const calls = text.mock.callCount() + answer.mock.callCount();
      const said = await both({ body });
      assert.equal(said.direct, true, said.text);
      assert.equal(text.mock.callCount() + answer.mock.callCount() - calls, 2, 'once in each way');
      return said;
    };
    const version = JSON.stringify({ confidence: 'none', version: 77 });
    assert.equal((await direct(version)).status, 404);
    assert.equal((await direct('{"confidence":"none","asOf":"2031-02-03"}')).status, 422);
    assert.equal((await direct(JSON.stringify({ instrument: 'OTHER' }))).status, 422);
    const away = new ApiError('unavailable', 'predict.overloaded', 'Too many.', { retryAfterS: 7 });
    refuse(away);
    const busy = await direct(none);
    assert.deepEqual([busy.status, busy.headers['retry-after']], [503, '7']);
    const broken = new Error('nobody foresaw this');
    refuse(broken);
    const lines = replica.log.lines.length;
    assert.equal((await direct(none)).status, 500);
    const failed = replica.log.fields.filter(
      (_, n) => n >= lines && replica.log.lines[n]!.message === 'a request failed',
    );
    const facts = failed.map((fields) => ({ ...fields, requestId: '' }));
    assert.deepEqual(
      facts,
      [1, 2, 3].fill(0).map(() => ({ err: broken, requestId: '', path: PATH })),
    );
    assert.equal(inFlight.now, 0);
  });

  it('tells a fault of its own as a problem, and does not end the process', async (t) => {
    await both({ body: none });
    const lookup = t.mock.method(BoundedMap.prototype, 'get', () => {
      throw new Error('a fault of ours');
    });
    const said = await ask(ports.direct, { body: none });
    lookup.mock.restore();
    assert.deepEqual([said.status, inFlight.now], [500, 0]);
    assert.equal((await both({ body: none })).direct, true);
  });

  it('remembers no long body, nor looks for one', async (t) => {
    const lookup = t.mock.method(BoundedMap.prototype, 'get');
    assert.equal((await ask(ports.direct, { body: `${none}${' '.repeat(300)}` })).status, 200);
    const keys = lookup.mock.calls.map(({ arguments: [key] }) => String(key));
    assert.deepEqual(
      keys.filter((key) => key.length > 300),
      [],
    );
  });

  it('knows no key that was revoked or has expired since', async () => {
    const key = { name: 'test', scopes: ['predict'] as const, models: [] };
    const revoked = await createKey(fixture.db, { ...key, expiresAt: null });
    const expiresAt = new Date(fixture.clock.now + 60_000);
    const expiring = await createKey(fixture.db, { ...key, expiresAt });
    await replica.parts.keys.refresh();
    for (const { token } of [revoked, expiring]) {
      await both({ body: none, key: token });
      const known = await both({ body: none, key: token });
      assert.deepEqual([known.status, known.direct], [200, true]);
    }
    const { status } = await replica.call('DELETE', `/api/v1/keys/${revoked.id}`);
    assert.equal(status, 204);
    fixture.clock.now += 60_000;
    try {
      for (const { token } of [revoked, expiring]) {
        const said = await both({ body: none, key: token });
        assert.deepEqual([said.status, said.direct], [401, false]);
      }
    } finally {
      fixture.clock.now -= 60_000;
      await replica.parts.keys.refresh();
    }
  });

  const raw = (body: string, length = body.length, id = 'my-request-0'): string =>
    `POST ${PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${ADMIN}\r\n` +
    `content-type: application/json\r\ncontent-length: ${length}\r\nx-request-id: ${id}\r\n\r\n${body}`;

  it('answers requests of one packet in their order', async () => {
    await both({ body: none });
    const socket = connect(ports.direct, '127.0.0.1').setEncoding('latin1');
    let text = '';
    socket.on('data', (chunk: string) => (text += chunk));
    const ids = ['my-request-1', 'my-request-2', 'my-request-3'];
    // The second is answered by the framework, and has to wait for nobody's turn but its own.
    const bodies = [none, '{"confidence":"some"}', none];
    const before = ordinary;
    socket.write(bodies.map((body, n) => raw(body, body.length, ids[n])).join(''));
    await eventually('three answers', () => text.split('HTTP/1.1 ').length === 4);
    socket.destroy();
    const said = [...text.matchAll(/HTTP\/1\.1 (\d+)[^]*?x-request-id: (\S+)/gi)];
    assert.deepEqual(
      said.map(([, status, id]) => [status, id]),
      ids.map((id, n) => [n === 1 ? '422' : '200', id]),
    );
    assert.equal(ordinary, before + 1);
  });

  it('counts a request from its head on, and forgets one whose body is cut', async (t) => {
    await both({ body: none });
    const asked = t.mock.method(replica.parts.serving, 'predictText');
    const lines = replica.log.lines.length;
    const socket = connect(ports.direct, '127.0.0.1');
    socket.write(raw(none.slice(0, 10), none.length));
    await eventually('a request under way', () => inFlight.now === 1);
    socket.destroy();
    await eventually('none under way', () => inFlight.now === 0);
    assert.equal(asked.mock.callCount(), 0);
    await eventually('its line', () => replica.log.lines.length > lines);
    const line = { method: 'POST', route: '/api/v1/ml-models/:name/predict', status: 400, ms: 0 };
    const fields = { ...replica.log.fields.at(-1), ms: 0 };
    assert.deepEqual(fields, { requestId: 'my-request-0', ...line });
    assert.equal((await both({ body: none })).direct, true);
  });

  it('answers last on a connection of a server that drains', async () => {
    await both({ body: none });
    isDraining = true;
    try {
      const said = await both({ body: none });
      assert.deepEqual([said.direct, said.headers['connection']], [true, 'close']);
      const problem = await both({ body: JSON.stringify({ instrument: 'OTHER' }) });
      assert.deepEqual([problem.direct, problem.headers['connection']], [true, 'close']);
    } finally {
      isDraining = false;
    }
  });

  it('has the challenger answer its share of a canary', async () => {
    const scene = trialScene(fixture, replica);
    const trial = await scene.start('canary', 2, 0.5);
    try {
      const keys = Array.from({ length: 12 }, (_, n) => `caller-${n}`);
      const versions = new Set<unknown>();
      for (const key of keys) {
        const said = await both({ body: none, headers: { 'x-routing-key': key } });
        assert.deepEqual([said.status, said.direct], [200, true]);
        versions.add((JSON.parse(said.text) as { version: unknown }).version);
      }
      assert.deepEqual(versions, new Set([1, 2]));
      const rows = await scene.rows('canary');
      assert.ok(rows.length > 0 && rows.every(({ trial_id: id }) => id === trial));
    } finally {
      await scene.end(trial);
    }
  });

  it('logs a request as the framework does', async () => {
    const linesOf = async (port: number): Promise<object[]> => {
      const lines = replica.log.lines.length;
      await ask(port, { body: none, headers: { 'x-request-id': 'my-request-9' } });
      const isNew = (n: number): boolean =>
        n >= lines && replica.log.lines[n]!.message === 'request';
      const fields = replica.log.fields.filter((_, n) => isNew(n));
      const levels = replica.log.lines.filter((_, n) => isNew(n)).map(({ level }) => level);
      return fields.map((of, n) => ({ ...of, ms: 0, level: levels[n] }));
    };
    const said = await linesOf(ports.direct);
    assert.deepEqual(said, await linesOf(ports.framework));
    assert.equal(said.length, 1);
  });

  it('counts requests as the framework does', async () => {
    const text = await replica.parts.metrics.registry.metrics();
    const route = 'route="/api/v1/ml-models/:name/predict",status="200"';
    const counts = [...text.matchAll(/ratchet_http_request_seconds_count\{(.*)\} (\d+)/g)];
    const own = counts.filter(([, labels]) => labels!.includes(route));
    assert.equal(own.length, 1, 'one series for both ways');
    assert.ok(Number(own[0]![2]) > 30);
  });
});
