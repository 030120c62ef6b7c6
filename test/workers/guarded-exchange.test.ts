import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ExchangeRequest } from '../../api/advice/exchange.ts';
import { RatchetError } from '../../core/errors.ts';
import { guardedExchange } from '../../workers/guarded-exchange.ts';
import type { Resolve } from '../../workers/reach.ts';
import { raw, silence } from '../support/chat-server.ts';
import { openReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

let server: WebhookReceiver;
before(async () => {
  server = await openReceiver();
});
after(() => server.close());

const ask = (change: Partial<ExchangeRequest> & { to?: string } = {}, resolve?: Resolve) => {
  const { to = server.url, ...rest } = change;
  return guardedExchange(
    {
      ...{ url: new URL(to), method: 'POST', headers: { 'x-key': 'k' }, body: '{}' },
      ...{ timeoutMs: 5_000, allowPrivate: true, maxBytes: 1_000 },
      ...rest,
    },
    resolve,
  );
};
const fails = (sent: Promise<unknown>, code: string): Promise<void> =>
  assert.rejects(sent, (error) => {
    assert.ok(error instanceof RatchetError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });

test('brings status, type and body, and asks for no compression', async () => {
  server.react(raw('{"a":"é"}', { 'retry-after': '7' }, 418));
  assert.deepEqual(await ask(), {
    ...{ status: 418, contentType: 'application/json; charset=utf-8', retryAfter: '7' },
    text: '{"a":"é"}',
  });
  const { headers, body } = server.posts.at(-1)!;
  assert.deepEqual(
    [headers['x-key'], headers['accept-encoding'], headers['content-length'], body],
    ['k', 'identity', '2', '{}'],
  );
});

test('follows no redirect', async () => {
  const other = await openReceiver();
  server.react(raw('', { location: `${other.url}/elsewhere` }, 307));
  assert.equal((await ask()).status, 307);
  assert.equal(other.connections(), 0);
  await other.close();
});

test('reads no body beyond its limit, declared or not', async () => {
  server.react(raw('x'.repeat(1_001)), (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = (): void => {
      if (!response.destroyed) response.write('y'.repeat(500), () => setImmediate(more));
    };
    more();
  });
  await fails(ask(), 'exchange.too-large');
  await fails(ask(), 'exchange.too-large');
  server.react(raw('x'.repeat(1_000)));
  assert.equal((await ask()).text.length, 1_000);
});

test('waits no longer than it may, for the head or for the body', async () => {
  server.react(silence);
  await fails(ask({ timeoutMs: 60 }), 'exchange.timeout');
  server.react((response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{');
  });
  await fails(ask({ timeoutMs: 60 }), 'exchange.timeout');
});

test('says of a broken connection that nothing was reached', async () => {
  server.react((response) => {
    response.socket?.destroy();
  });
  await fails(ask(), 'exchange.unreachable');
  server.react((response) => {
    response.writeHead(200, { 'content-length': '10' });
    response.write('{', () => response.socket?.destroy());
  });
  await fails(ask(), 'exchange.unreachable');
});

test('reaches only what is allowed, also behind a name', async () => {
  const before = server.connections();
  await fails(ask({ allowPrivate: false }), 'exchange.address');
  await fails(ask({ to: 'http://192.168.1.1/' }), 'exchange.address');
  await fails(ask({ to: 'https://169.254.169.254/latest' }), 'exchange.address');
  const inside: Resolve = (_name, done) => done(null, [{ address: '10.0.0.1', family: 4 }]);
  await fails(
    ask({ to: 'https://llm.example/v1', allowPrivate: false }, inside),
    'exchange.address',
  );
  assert.equal(server.connections(), before);
});
