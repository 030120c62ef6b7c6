import assert from 'node:assert/strict';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { directPredict } from '../../api/direct-predict.ts';
import { createKey, newKeyToken } from '../../registry/keys.ts';
import {
  ADMIN,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

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
    const framework = getRequestListener(replica.app.fetch);
    const direct = directPredict(replica.parts, (incoming, outgoing) => {
      ordinary++;
      void framework(incoming, outgoing);
    });
    ports = {
      framework: await listen((incoming, outgoing) => void framework(incoming, outgoing)),
      direct: await listen(direct),
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

  it('counts requests as the framework does', async () => {
    const text = await replica.parts.metrics.registry.metrics();
    const route = 'route="/api/v1/ml-models/:name/predict",status="200"';
    const counts = [...text.matchAll(/ratchet_http_request_seconds_count\{(.*)\} (\d+)/g)];
    const own = counts.filter(([, labels]) => labels!.includes(route));
    assert.equal(own.length, 1, 'one series for both ways');
    assert.ok(Number(own[0]![2]) > 30);
  });
});
