/** What a WebSocket of events does with readers that are slow, gone or no longer allowed: a real client and server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import { ApiError } from '../../api/errors.ts';
import { CLOSE, serveEvents, type SocketPace } from '../../api/event-socket.ts';
import type { EventRow, EventSource } from '../../api/event-stream.ts';
import { memoryLog } from '../support/api-fixture.ts';
import { readerOf, type Reader } from '../support/event-socket.ts';

const NEVER = 600_000;
const PACE: SocketPace = { heartbeat: NEVER, close: NEVER, stop: NEVER };
const rowsFrom = (first: number, count: number): EventRow[] =>
  Array.from({ length: count }, (_, i) => ({ seq: String(first + i), kind: 'epoch' }));
/** Goes on without an end, and says nothing. */
const QUIET: EventSource<EventRow> = {
  ended: () => Promise.resolve(false),
  read: () => Promise.resolve([]),
  view: () => ({}),
};
/** Goes on without an end, and says so much at once. */
const ENDLESS: EventSource<EventRow> = {
  ...QUIET,
  read: (last, limit) => Promise.resolve(rowsFrom(Number(last) + 1, limit)),
};

interface Scene {
  readonly server: WebSocket;
  readonly reader: Reader;
  readonly log: ReturnType<typeof memoryLog>;
  /** Resolves once the server sends no more. */
  readonly served: Promise<void>;
}

interface SceneOptions {
  readonly pace?: Partial<SocketPace>;
  readonly stopping?: AbortSignal;
  readonly stillAllowed?: () => Promise<unknown>;
}

describe('a WebSocket of events', () => {
  let sockets: WebSocketServer;
  before(async () => {
    sockets = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong: false });
    await once(sockets, 'listening');
  });
  after(() => {
    for (const client of sockets.clients) client.terminate();
    sockets.close();
  });

  async function open(
    sourceOf: (server: () => WebSocket) => EventSource<EventRow>,
    { pace, stopping = new AbortController().signal, stillAllowed }: SceneOptions = {},
  ): Promise<Scene> {
    const connected = once(sockets, 'connection') as Promise<[WebSocket]>;
    const reader = readerOf(`ws://127.0.0.1:${(sockets.address() as AddressInfo).port}`);
    const [server] = await connected;
    await once(reader.socket, 'open');
    const log = memoryLog();
    const served = serveEvents(server, {
      ...{ stopping, log, after: '0', requestId: 'request-1' },
      source: sourceOf(() => server),
      stillAllowed: stillAllowed ?? (() => Promise.resolve()),
      pace: { ...PACE, ...pace },
    });
    return { server, reader, log, served };
  }

  it('makes no frame before the last one is taken, and cuts off a reader that takes none', async () => {
    let most = 0;
    const text = 'x'.repeat(64 * 1024);
    const { reader, server, served } = await open(
      (of) => ({
        ...ENDLESS,
        view: () => {
          most = Math.max(most, of().bufferedAmount);
          return { text };
        },
      }),
      { pace: { heartbeat: 100 } },
    );
    reader.socket.pause();
    await once(server, 'close');
    await served;
    assert.equal(most, 0);
    reader.socket.resume();
    assert.equal((await reader.closed)[0], 1006);
  });

  it('waits for a slow reader, who gets every event in order', async () => {
    let isOver = false;
    const { reader, served } = await open(() => ({
      ...ENDLESS,
      ended: () => Promise.resolve(isOver),
      read: (last, limit) => {
        const left = 700 - Number(last);
        isOver = left <= limit;
        return Promise.resolve(rowsFrom(Number(last) + 1, Math.min(limit, left)));
      },
      view: ({ seq }) => ({ seq, text: 'x'.repeat(16 * 1024) }),
    }));
    while (reader.frames.length < 700) {
      reader.socket.pause();
      await pause(5);
      reader.socket.resume();
      await pause(5);
    }
    await served;
    assert.deepEqual(await reader.closed, [CLOSE.ended, 'ended']);
    const expected = Array.from({ length: 700 }, (_, i) => String(i + 1));
    assert.deepEqual(
      reader.frames.map(({ data }) => data['seq']),
      expected,
    );
  });

  it('keeps a reader that answers pings, until its key is no longer good', async () => {
    let asked = 0;
    const { reader } = await open(() => QUIET, {
      pace: { heartbeat: 20 },
      stillAllowed: () => {
        if (++asked < 5) return Promise.resolve();
        return Promise.reject(new ApiError('unauthenticated', 'key.invalid', 'revoked'));
      },
    });
    assert.deepEqual(await reader.closed, [CLOSE.refused, 'key.invalid']);
    assert.equal(asked, 5);
  });

  it('cuts off who pings and reads no answer', async () => {
    const { reader, server } = await open(() => QUIET);
    reader.socket.pause();
    const ping = Buffer.alloc(125);
    const gone = once(server, 'close');
    while (reader.socket.readyState === reader.socket.OPEN && server.readyState === server.OPEN) {
      for (let i = 0; i < 500; i++) reader.socket.ping(ping);
      assert.ok(server.bufferedAmount < 64 * 1024, `${server.bufferedAmount} bytes lie unread`);
      await new Promise(setImmediate);
    }
    await gone;
  });

  it('closes when the process stops, and waits little for the answer', async () => {
    const stop = new AbortController();
    const quick = await open(() => QUIET, { stopping: stop.signal });
    const deaf = await open(() => QUIET, { stopping: stop.signal, pace: { stop: 50 } });
    deaf.reader.socket.pause();
    const gone = once(deaf.server, 'close');
    stop.abort();
    assert.deepEqual(await quick.reader.closed, [CLOSE.stopping, 'stopping']);
    await gone;
    await Promise.all([quick.served, deaf.served]);
    const late = await open(() => ENDLESS, { stopping: stop.signal });
    assert.deepEqual(await late.reader.closed, [CLOSE.stopping, 'stopping']);
    assert.deepEqual(late.reader.frames, []);
  });

  it('says so where events cannot be read, and logs it', async () => {
    const { reader, log } = await open(() => ({
      ...ENDLESS,
      read: (last, limit) =>
        last === '0'
          ? Promise.resolve(rowsFrom(1, limit))
          : Promise.reject(new Error('the database is away')),
    }));
    assert.deepEqual(await reader.closed, [CLOSE.broken, 'broken']);
    assert.equal(reader.frames.length, 500);
    assert.deepEqual(log.lines, [{ level: 'warn', message: 'a WebSocket of events broke off' }]);
  });
});
