/** How the end of a backtest is told: by words, by the exit code, and under --json a line a document. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { run, type Outcome } from '../../support/cli-run.ts';

const ID = '01JBACKTEST00000000000000A';

/** A command of a server whose backtest ended so. */
async function told(
  end: object,
  { asked = ID, argv = [] }: { readonly asked?: string; readonly argv?: readonly string[] } = {},
): Promise<Outcome> {
  const row = { id: ID, name: 'x', results: [], files: [], ...end };
  const server = createServer(({ url = '' }, answer) => {
    if (!url.endsWith('/events')) {
      answer.setHeader('content-type', 'application/json');
      answer.end(JSON.stringify(row));
      return;
    }
    const done = { seq: '1', at: '2026-01-01T00:00:00.000Z', kind: 'done', payload: end };
    answer.setHeader('content-type', 'text/event-stream');
    answer.end(`id: 1\nevent: done\ndata: ${JSON.stringify(done)}\n\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return await run({ url, key: 'rk_test' }, 'backtests', asked, ...argv);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const cancelled = { status: 'cancelled', message: 'cancelled on request' };

test('one that was cancelled is shown as such; only who waits for it is failed', async () => {
  const shown = await told(cancelled);
  assert.equal(shown.code, 0, shown.error);
  assert.match(shown.text, new RegExp(`x \\(${ID}\\): cancelled: cancelled on request`));
  const watched = await told(cancelled, { argv: ['--watch'] });
  assert.equal(watched.code, 1);
  assert.match(watched.error, new RegExp(`backtest ${ID} cancelled: cancelled on request`));
});

test('nothing stands behind a colon of one without words', async () => {
  const { code, error } = await told({ status: 'cancelled', message: '' }, { argv: ['--watch'] });
  assert.deepEqual([code, error], [1, `backtest ${ID} cancelled`]);
});

test('with --json each line is one document, the last being the backtest', async () => {
  const { code, text } = await told(
    { status: 'completed', message: 'done' },
    { argv: ['--watch', '--json'] },
  );
  assert.equal(code, 0);
  const lines = text.trim().split('\n');
  const kinds = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    kinds.map((one) => one['kind'] ?? one['status']),
    ['done', 'completed'],
  );
});

test('one of its strategies alone, or the names of those it has', async () => {
  const of = (strategy: string) => ({ strategy, metrics: {}, finalEquity: 1, trades: 1 });
  const end = { status: 'completed', message: 'done', results: [of('slow'), of('fast')] };
  const shown = await told(end, { asked: `${ID}/fast` });
  assert.equal(shown.code, 0, shown.error);
  assert.match(shown.text, /fast/);
  assert.doesNotMatch(shown.text, /slow/);
  const wrong = await told(end, { asked: `${ID}/fats` });
  assert.deepEqual(
    [wrong.code, /no strategy fats; it has slow, fast/.test(wrong.error)],
    [2, true],
  );
});
