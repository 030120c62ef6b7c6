/** Events over WebSockets: a real client, a real port, a real database. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { ulid } from 'ulid';
import { backtestSpecSchema } from '../../core/spec/index.ts';
import { CLOSE } from '../../api/event-socket.ts';
import { MAX_SOCKETS_PER_KEY } from '../../api/upgrade.ts';
import { appendBacktestEvent, createBacktest, endBacktest } from '../../registry/backtests.ts';
import { appendEvent, endExperiment } from '../../registry/experiments.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { createKey, newKeyToken } from '../../registry/keys.ts';
import {
  ADMIN,
  eventually,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
} from '../support/api-fixture.ts';
import type { TestReplica } from '../support/api-fixture.ts';
import { listenWith, readerOf, refusalOf, type ListeningApi } from '../support/event-socket.ts';
import { addExperiment } from '../support/registry-facts.ts';

const PROTOCOL = 'ratchet.events.v1';

describe('events over a WebSocket', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let api: ListeningApi;
  let experiments = 100;
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    api = await listenWith(replica);
  });
  after(async () => {
    await api.close();
    await fixture.close();
  });

  const begin = (): Promise<string> => addExperiment(fixture.db, ++experiments);
  const append = async (experimentId: string, epochs: readonly number[]): Promise<void> => {
    for (const epoch of epochs) {
      await appendEvent(fixture.db, { experimentId, kind: 'epoch', payload: { epoch } });
    }
  };
  const end = (id: string): Promise<unknown> =>
    endExperiment(fixture.db, id, { status: 'completed', message: 'well' });
  const urlOf = (id: string): string => `ws://${api.host}/api/v1/experiments/${id}/events`;

  it('sends what the stream sends, as it comes, and closes once it has ended', async () => {
    const id = await begin();
    await append(id, [1, 2]);
    const { frames, closed, socket } = readerOf(urlOf(id));
    await eventually('what there was is sent', () => frames.length === 2);
    assert.equal(socket.protocol, '');
    await append(id, [3]);
    await eventually('what comes is sent', () => frames.length === 3);
    await end(id);
    assert.deepEqual(await closed, [CLOSE.ended, 'ended']);
    const stream = await replica.call('GET', `/api/v1/experiments/${id}/events`, undefined, {
      headers: { accept: 'text/event-stream' },
    });
    const blocks = String(stream.body['text']).trim().split('\n\n');
    const streamed = blocks.map((block) => {
      const field = (name: string) => new RegExp(`^${name}: *(.*)$`, 'm').exec(block)![1]!;
      return { id: field('id'), event: field('event'), data: JSON.parse(field('data')) as unknown };
    });
    assert.deepEqual(frames, streamed);
    assert.deepEqual(
      frames.map(({ event }) => event),
      ['epoch', 'epoch', 'epoch', 'done'],
    );
  });

  it('goes on behind the event that `after` names', async () => {
    const id = await begin();
    await append(id, [1, 2, 3, 4]);
    const first = readerOf(urlOf(id));
    await eventually('two are seen', () => first.frames.length >= 2);
    first.socket.terminate();
    await end(id);
    const again = readerOf(`${urlOf(id)}?after=${first.frames[1]!.id}`);
    assert.deepEqual(await again.closed, [CLOSE.ended, 'ended']);
    assert.deepEqual(
      again.frames.map(({ event, data }) => (data['payload'] as { epoch?: number }).epoch ?? event),
      [3, 4, 'done'],
    );
    assert.deepEqual(await refusalOf(`${urlOf(id)}?after=soon`), [400, 'query.invalid']);
  });

  it('tells of a backtest likewise', async () => {
    const { db } = fixture;
    const spec = backtestSpecSchema.parse({
      name: 'hold',
      data: { sources: [{ dataset: 'sp500-daily' }], instruments: [INSTRUMENT] },
      period: { from: '2018-01-01' },
      strategies: { hold: { kind: 'buy-and-hold' } },
    });
    const asker = { actor: 'key-1', requestId: 'request-1' };
    const id = await inTransaction(db, (trx) =>
      createBacktest(trx, { id: ulid(), spec, specHash: 'h', workflowId: 'w', ...asker }),
    );
    await appendBacktestEvent(db, id, { kind: 'plan', key: 'plan', payload: { folds: 0 } });
    await endBacktest(db, id, { status: 'cancelled', message: 'asked to' });
    const { frames, closed } = readerOf(`ws://${api.host}/api/v1/backtests/${id}/events`);
    assert.deepEqual(await closed, [CLOSE.ended, 'ended']);
    assert.deepEqual([frames[0]!.event, frames.at(-1)!.event], ['plan', 'done']);
  });

  it('takes the key of a page as a subprotocol, and never sends it back or writes it down', async () => {
    const id = await begin();
    await end(id);
    const { token } = await createKey(fixture.db, {
      ...{ name: 'page', scopes: ['read'], models: [], expiresAt: null },
    });
    const options = { headers: {}, origin: `http://${api.host}` };
    const { socket, closed } = readerOf(urlOf(id), {
      ...options,
      protocols: [`ratchet.key.${token}`, PROTOCOL],
    });
    const [response] = (await once(socket, 'upgrade')) as [{ headers: Record<string, string> }];
    assert.equal(response.headers['sec-websocket-protocol'], PROTOCOL);
    assert.doesNotMatch(JSON.stringify(response.headers), /rk_/);
    assert.deepEqual(await closed, [CLOSE.ended, 'ended']);
    const wrong = [PROTOCOL, `ratchet.key.${newKeyToken()}`];
    const refused = await refusalOf(urlOf(id), { ...options, protocols: wrong });
    assert.deepEqual(refused, [401, 'key.invalid']);
    assert.doesNotMatch(JSON.stringify([replica.log.lines, replica.log.fields]), /rk_/);
    // Where nothing is upgraded a key has its place in its header alone.
    const plain = await fetch(`http://${api.host}/api/v1/experiments/${id}/events`, {
      headers: { 'sec-websocket-protocol': `ratchet.key.${token}` },
    });
    assert.equal(plain.status, 401);
  });

  it('refuses whoever may not read it, as the stream does', async () => {
    const id = await begin();
    const keyed = async (scopes: readonly ('read' | 'predict')[], models: readonly string[]) => {
      const key = { name: 'k', scopes, models, expiresAt: null };
      return { authorization: `Bearer ${(await createKey(fixture.db, key)).token}` };
    };
    assert.deepEqual(await refusalOf(urlOf(id), { headers: {} }), [401, 'key.invalid']);
    const other = await refusalOf(urlOf(id), { headers: await keyed(['predict'], []) });
    assert.deepEqual(other, [403, 'key.scope']);
    const foreign = await refusalOf(urlOf(id), { headers: await keyed(['read'], ['another']) });
    assert.deepEqual(foreign, [404, 'experiment.not-found']);
    assert.deepEqual(await refusalOf(urlOf('nope')), [404, 'experiment.not-found']);
    const elsewhere = await refusalOf(`ws://${api.host}/api/v1/ml-models`);
    assert.deepEqual(elsewhere, [400, 'request.no-socket']);
    assert.deepEqual(await refusalOf(`ws://${api.host}/nowhere`), [404, 'route.not-found']);
  });

  it('refuses pages of other origins, whatever key they have', async () => {
    const id = await begin();
    for (const origin of ['https://evil.example', 'http://localhost:1', 'null', `${api.host}`]) {
      assert.deepEqual(await refusalOf(urlOf(id), { origin }), [403, 'request.origin'], origin);
    }
    const headers = { authorization: `Bearer ${ADMIN}`, host: 'evil.example' };
    assert.deepEqual(await refusalOf(urlOf(id), { headers }), [403, 'request.host']);
  });

  it('lets a key have so many open and no more, and another after one is closed', async () => {
    const id = await begin();
    const url = urlOf(id);
    const readers = Array.from({ length: MAX_SOCKETS_PER_KEY }, () => readerOf(url));
    await Promise.all(readers.map(({ socket }) => once(socket, 'open')));
    assert.deepEqual(await refusalOf(url), [429, 'socket.too-many']);
    readers[0]!.socket.terminate();
    let last = readerOf(url);
    await eventually('the place is free again', async () => {
      if (last.socket.readyState === last.socket.OPEN) return true;
      if (last.socket.readyState !== last.socket.CONNECTING) last = readerOf(url);
      return false;
    });
    await end(id);
    const open = [...readers.slice(1), last];
    const codes = await Promise.all(open.map(async ({ closed }) => (await closed)[0]));
    assert.deepEqual(new Set(codes), new Set([CLOSE.ended]));
  });

  it('takes nothing from its readers: no message, no large frame, no broken handshake', async () => {
    const id = await begin();
    const talker = readerOf(urlOf(id));
    await once(talker.socket, 'open');
    talker.socket.send('{}');
    assert.deepEqual(await talker.closed, [CLOSE.refused, 'message.refused']);
    const large = readerOf(urlOf(id));
    await once(large.socket, 'open');
    large.socket.send('x'.repeat(5_000));
    assert.equal((await large.closed)[0], 1009);
    const handshake = await raw(api.host, [
      `GET /api/v1/experiments/${id}/events HTTP/1.1`,
      `Host: ${api.host}`,
      `Authorization: Bearer ${ADMIN}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
    ]);
    assert.match(handshake, /^HTTP\/1\.1 400 /);
  });

  it('answers pings, and whoever asks for another upgrade as if it had not', async () => {
    const id = await begin();
    const { socket } = readerOf(urlOf(id));
    await once(socket, 'open');
    socket.ping('here');
    assert.equal(String((await once(socket, 'pong'))[0]), 'here');
    socket.close();
    const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'];
    const auth = [`Host: ${api.host}`, `Authorization: Bearer ${ADMIN}`];
    const path = '/api/v1/ml-models';
    const read = await raw(api.host, [`GET ${path} HTTP/1.1`, ...auth, ...h2c]);
    assert.match(read, /^HTTP\/1\.1 200 OK[^]*"items"/);
    const body = '{"name":"of-an-upgrade","template":{}}';
    const lines = [
      `POST ${path} HTTP/1.1`,
      ...[...auth, ...h2c, 'Content-Type: application/json'],
      `Content-Length: ${body.length}`,
    ];
    // The body is read: what is wrong with it is told.
    assert.match(await raw(api.host, lines, body), /^HTTP\/1\.1 422 [^]*"code":"(body|spec)\./);
  });
});

/** Sends a request, its body a moment later, and reads until an answer has come. */
async function raw(host: string, lines: readonly string[], body = ''): Promise<string> {
  const [name, port] = host.split(':');
  const socket = connect(Number(port), name);
  await once(socket, 'connect');
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (body !== '') setImmediate(() => socket.write(body));
  let answer = '';
  for await (const chunk of socket) {
    answer += String(chunk);
    const [head, rest = ''] = answer.split('\r\n\r\n');
    const length = /content-length: *(\d+)/i.exec(head!)?.[1];
    if (length !== undefined && rest.length >= Number(length)) break;
  }
  socket.destroy();
  return answer;
}
