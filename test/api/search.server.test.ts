import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { Command } from 'commander';
import { createOutput, type CliContext } from '../../api/cli/output.ts';
import { register } from '../../api/cli/search.ts';
import { readConfig } from '../../infra/config.ts';
import {
  beginTrial,
  completeSearch,
  endRung,
  failTrial,
  openSearch,
  stopSearch,
  type NewSearch,
} from '../../registry/searches.ts';
import {
  ADMIN,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { addExperiment, MODEL } from '../support/registry-facts.ts';

const plan: Omit<NewSearch, 'experimentId'> = {
  model: MODEL,
  family: 'lstm-multi-horizon',
  method: 'tpe',
  pruner: 'successiveHalving',
  seed: 1,
  fitSeed: 1,
  trials: 5,
  parallel: 2,
  budgetMinutes: undefined,
  space: [
    { kind: 'number', path: 'learningRate', low: 1e-4, high: 0.01, scale: 'log', integer: false },
    { kind: 'choice', path: 'units', choices: [[8], [16, 16]] },
  ],
  rungs: [3, 9],
  startedAt: new Date('2026-01-01T00:00:00Z'),
};

describe('a search of an experiment', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let server: Server;
  let id: string;
  let other: string;
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    const { db } = fixture;
    [id, other] = [await addExperiment(db, 501), await addExperiment(db, 502)];
    const key = { experimentId: id, model: MODEL };
    await openSearch(db, { ...plan, ...key });
    const losses = [[1.1, 0.9], [1.2], [], [1.0, 0.8]];
    for (const [trial, rungs] of losses.entries()) {
      await beginTrial(db, { ...key, trial }, { learningRate: 0.001 * (trial + 1), units: [8] });
      for (const [rung, loss] of rungs.entries()) {
        const state = rung === 1 ? 'completed' : rungs.length === 1 ? 'pruned' : 'running';
        await endRung(db, { ...key, trial }, { rung, loss, state, epochsRun: 3, bestEpoch: 2 });
      }
      if (rungs.length === 0) await failTrial(db, { ...key, trial }, 'the loss became NaN');
    }
    await stopSearch(db, key, 'trials');
    await completeSearch(db, key);
    const answer = getRequestListener(replica.app.fetch);
    server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await fixture.close();
  });

  async function cli(...argv: string[]): Promise<string> {
    const stdout = new PassThrough();
    const chunks: Buffer[] = [];
    stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    const json = argv.includes('--json');
    const { port } = server.address() as AddressInfo;
    const ctx: CliContext = {
      json,
      interactive: false,
      config: readConfig({}),
      out: createOutput(stdout, () => json),
      signal: new AbortController().signal,
      connect: () => Promise.resolve({ url: `http://localhost:${port}`, key: ADMIN }),
    };
    const root = new Command('ratchet').option('--json').exitOverride();
    register(root, ctx);
    await root.parseAsync(argv, { from: 'user' });
    return Buffer.concat(chunks).toString('utf8');
  }

  it('is answered with every trial, the counts and the best', async () => {
    const { status, body } = await replica.call('GET', `/api/v1/experiments/${id}/search`);
    assert.equal(status, 200);
    const [search] = body['items'] as unknown as Record<string, unknown>[];
    assert.deepEqual(search!['counts'], { completed: 2, pruned: 1, failed: 1 });
    const { deflatedValidLoss, ...best } = search!['best'] as Record<string, number>;
    assert.deepEqual(best, { trial: 3, validLoss: 0.8 });
    // 0.8 + 0.0707 x 1.0294, the expected maximum of four standard normal scores (Monte Carlo: 1.029).
    assert.ok(Math.abs(deflatedValidLoss! - 0.8744) < 0.002, `${deflatedValidLoss}`);
    const items = search!['items'] as Record<string, unknown>[];
    assert.deepEqual(
      items.map(({ state }) => state),
      ['completed', 'pruned', 'failed', 'completed'],
    );
    assert.deepEqual(items[0]!['losses'], [1.1, 0.9]);
    assert.equal(items[2]!['error'], 'the loss became NaN');
    const newest = await replica.call('GET', `/api/v1/experiments/${id}/search?limit=1`);
    const [short] = newest.body['items'] as unknown as Record<string, Record<string, unknown>[]>[];
    assert.deepEqual(
      short!['items']!.map(({ trial }) => trial),
      [3],
    );
    assert.deepEqual(short!['counts'], search!['counts']);
  });

  it('is empty where none was asked for, unknown where the experiment is', async () => {
    const none = await replica.call('GET', `/api/v1/experiments/${other}/search`);
    assert.deepEqual([none.status, none.body], [200, { items: [] }]);
    const lost = await replica.call('GET', '/api/v1/experiments/01JZZZZZZZZZZZZZZZZZZZZZZZ/search');
    assert.equal(lost.status, 404);
  });

  it('is not for keys of other models', async () => {
    const keyBody = { name: 'other', scopes: ['read'], models: ['index-other'] };
    const { body } = await replica.call('POST', '/api/v1/keys', keyBody);
    const key = String(body['token']);
    const path = `/api/v1/experiments/${id}/search`;
    assert.equal((await replica.call('GET', path, undefined, { key })).status, 404);
  });

  it('is shown by the command line, trial by trial', async () => {
    const shown = await cli('search', id);
    assert.match(shown, /tpe over learningRate 0.0001 to 0.01 \(log\), units of \[8\], \[16,16\]/);
    assert.match(shown, /completed: 4 of 5 trials ended, 1 pruned, 1 failed, took/);
    assert.match(shown, /best is trial 3: validation loss 0.80000, 0.87\d+ deflated/);
    assert.match(
      shown,
      /2 {2}failed +0\/2 +- .*learningRate 0.003, units \[8\]: the loss became NaN/,
    );
    const rows = (await cli('search', id, '--best')).split('\n');
    assert.match(
      rows.find((row) => /^ +\d/.test(row))!,
      /^ +3 {2}completed/,
    );
    const json = JSON.parse(await cli('search', id, '--json')) as { items: unknown[] };
    assert.equal(json.items.length, 1);
    assert.match(await cli('search', other), /has searched nothing/);
    const { body } = await replica.call('GET', '/api/v1/experiments');
    const [newest] = body['items'] as unknown as { id: string; name: string }[];
    const named = await cli('search', newest!.name);
    assert.equal(named, `experiment ${newest!.id}\n${await cli('search', newest!.id)}`);
  });
});
