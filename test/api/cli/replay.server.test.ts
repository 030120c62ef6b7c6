import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { Command } from 'commander';
import { ApiClient } from '../../../api/cli/http.ts';
import { createOutput, EXIT } from '../../../api/cli/output.ts';
import { register } from '../../../api/cli/replay/command.ts';
import { replay } from '../../../api/cli/replay/replay.ts';
import { routingPoint } from '../../../core/trials/routing.ts';
import { readConfig } from '../../../infra/config.ts';

const MODEL = 'index-gspc';
const INSTRUMENTS = ['^GSPC', '^DJI'];
const DAY_MS = 86_400_000;
const start = Date.parse('2024-01-02T21:00:00Z');
const slots = Array.from({ length: 40 }, (_, day) => {
  const end = start + day * DAY_MS;
  return { closes: [end], end };
});

test('a replay asks as many callers would, so that a canary gets its share of it', async (t) => {
  const keys: string[] = [];
  let settled: unknown = null;
  const answer = async (request: IncomingMessage): Promise<object> => {
    const body = request.method === 'POST' ? ((await json(request)) as { asOf: string }) : null;
    if (request.url?.endsWith('/predict')) keys.push(String(request.headers['x-routing-key']));
    if (request.url?.endsWith('/settle')) settled = body?.asOf;
    const drift = { asOf: settled, signals: [], considered: null };
    return {
      state: 'watching',
      settledAsOf: settled,
      asOf: settled,
      drift,
      retrain: null,
      trial: null,
    };
  };
  const server = createServer((request, response) => {
    void answer(request).then((told) => response.end(JSON.stringify(told)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { signal } = new AbortController();
  const client = new ApiClient({ url: `http://127.0.0.1:${port}`, key: 'rk' }, signal);
  const run = { client, model: MODEL, instruments: INSTRUMENTS, slots, every: 1, signal };
  const predictions = await replay({ ...run, onSlot: () => undefined });

  assert.equal(predictions, slots.length * INSTRUMENTS.length);
  assert.equal(
    new Set(keys).size,
    predictions,
    'each bar of each instrument is a caller of its own',
  );
  for (const key of keys) assert.match(key, /^[\x21-\x7e]{1,128}$/);
  const share = keys.filter((key) => routingPoint('trial-1', key) < 0.5).length / keys.length;
  assert.ok(share > 0.3 && share < 0.7, `half of the traffic: ${share}`);
});

test('a replay goes forward, through what has happened', async () => {
  const none = (): never => assert.fail('nothing is asked');
  const run = (from: string, to: string): Promise<unknown> => {
    const root = new Command('ratchet').exitOverride();
    const { signal } = new AbortController();
    const out = createOutput(new PassThrough(), () => false);
    const config = readConfig({});
    register(root, { json: false, interactive: false, config, out, signal, connect: none });
    return root.parseAsync(['replay', MODEL, '--from', from, '--to', to], { from: 'user' });
  };
  await assert.rejects(run('2024-02-01', '2024-01-01'), {
    exitCode: EXIT.usage,
    message: '--from 2024-02-01 does not lie before --to 2024-01-01: a replay goes forward',
  });
  await assert.rejects(run('2024-02-01', '2999-01-01'), {
    exitCode: EXIT.usage,
    message: '--to 2999-01-01 lies in the future: only what has happened can be replayed',
  });
});
