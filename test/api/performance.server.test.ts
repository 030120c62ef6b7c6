import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Command } from 'commander';
import { register } from '../../api/cli/performance.ts';
import { createOutput } from '../../api/cli/output.ts';
import { readConfig } from '../../infra/config.ts';
import { advanceSettledAsOf } from '../../registry/lifecycle-state.ts';
import { insertOutcomes, type NewOutcome } from '../../registry/settling.ts';
import {
  ADMIN,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

const PATH = `/api/v1/ml-models/${MODEL}/performance`;
const DAY = 86_400_000;
/** After what the versions of the fixture learnt from. */
const START = Date.parse('2019-03-01');

let fixture: ApiFixture;
let replica: TestReplica;
let server: Server;
before(async () => {
  fixture = await openApiFixture();
  replica = await fixture.open('a');
  const answer = getRequestListener(replica.app.fetch);
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
});
after(async () => {
  server.close();
  await fixture.close();
});

function outcome(id: string, day: number, version: number): NewOutcome {
  const asOf = new Date(START + day * DAY);
  const target = new Date(asOf.getTime() + 7 * DAY);
  const common = { known_at: target, settled_as_of: target, predicted_at: asOf };
  return {
    ...{ prediction_id: id, horizon: 7, revision: 0, model: MODEL, version, role: 'champion' },
    ...{ trial_id: null, input: 'instrument', fallback: false, instrument: INSTRUMENT },
    ...{ as_of: asOf, target_time: target, ...common, last_close: 100, actual_close: 102 },
    ...{ forecast_change: 0.01, actual_change: 0.02, interval_low: 0, interval_high: 0.03 },
    ...{ error: -0.01, naive_error: -0.02, scaled_loss: 0.5, actual_direction: 'up' },
    ...{ direction_hit: true, covered: true, position: 1, signal_return: 0.0196 },
  };
}

async function cli(...argv: string[]): Promise<string> {
  const stdout = new PassThrough();
  const chunks: Buffer[] = [];
  stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const json = argv.includes('--json');
  const root = new Command('ratchet').option('--json').exitOverride();
  const { port } = server.address() as AddressInfo;
  register(root, {
    ...{ json, interactive: false, config: readConfig({}) },
    out: createOutput(stdout, () => json),
    signal: new AbortController().signal,
    connect: () => Promise.resolve({ url: `http://localhost:${port}`, key: ADMIN }),
  });
  await root.parseAsync(argv, { from: 'user' });
  return Buffer.concat(chunks).toString('utf8');
}

test('before anything is settled: no figures, and what to do', async () => {
  const { status, body } = await replica.call('GET', PATH);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(body, { model: MODEL, settledAsOf: null, items: [], leftOut: [] });
  assert.match(await cli('performance', MODEL), /nothing is settled yet; `ratchet settle/);
  assert.equal((await replica.call('GET', '/api/v1/ml-models/none/performance')).status, 404);
  const king = await replica.call('GET', `${PATH}?role=king`);
  const words = '/role: must be one of "champion", "canary", "shadow", "pinned"';
  assert.deepEqual([king.status, king.body['detail']], [400, words]);
  assert.equal((await replica.call('GET', PATH, undefined, { key: null })).status, 401);
});

test('figures by version and horizon, in JSON and as a table', async () => {
  const rows = [0, 1, 2].map((day) => outcome(`p${day}`, day, 1));
  await insertOutcomes(fixture.db, [...rows, outcome('q', 0, 2), outcome('old', -200, 1)]);
  await advanceSettledAsOf(fixture.db, MODEL, new Date('2019-04-01'));
  const { body } = await replica.call('GET', PATH);
  const items = body['items'] as unknown as Record<string, unknown>[];
  assert.deepEqual(
    items.map((row) => [row['version'], row['n'], row['skillVsNaive'], row['coverage80']]),
    [
      [2, 1, 0.75, 1],
      [1, 3, 0.75, 1],
    ],
  );
  const first = items[1]!;
  assert.deepEqual([first['costBpsPerSide'], first['hypothetical']], [2, true]);
  assert.match(String(first['note']), /0\.4 independent outcomes, fewer than 20/);
  const left = body['leftOut'] as unknown as Record<string, unknown>[];
  assert.deepEqual(
    left.map((row) => [row['version'], row['inSample']]),
    [
      [2, 0],
      [1, 1],
    ],
  );
  const one = await replica.call('GET', `${PATH}?version=1&from=2019-03-02&to=2019-03-03`);
  assert.deepEqual(
    (one.body['items'] as unknown as Record<string, unknown>[]).map((row) => row['n']),
    [1],
  );
  const text = await cli('performance', MODEL);
  assert.match(text, /version +instrument +bars +n /);
  assert.match(text, /\+0\.750/);
  assert.match(text, /HYPOTHETICAL/);
  assert.match(text, /version 1 left out: 1 on bars it had learnt from/);
  assert.match(text, /per decision, after 2 bp a side; HYPOTHETICAL/);
  const later = await cli('performance', MODEL, '--from', '2999-01-01');
  assert.match(later, /^no settled decision fits these options; settled up to 2019-04-01T/);
  const reversed = await cli('performance', MODEL, '--from', '2019-03-02', '--to', '2019-03-01');
  assert.match(reversed, /^no decision lies between --from 2019-03-02 and --to 2019-03-01: /);
  const json = JSON.parse(await cli('--json', 'performance', MODEL)) as { items: unknown[] };
  assert.equal(json.items.length, 2);
  const flat = { ...outcome('flat', 20, 2), position: 0, signal_return: 0 };
  await insertOutcomes(fixture.db, [flat]);
  const idle = await cli('performance', MODEL, '--from', '2019-03-20');
  assert.match(idle, /per decision, no decision took a position, so none had costs;/);
});
