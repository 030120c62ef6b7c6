import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { openChatServer, sizeOf, verdictOf, type ChatServer } from '../support/chat-server.ts';
import { productMissing, startProduct, type Product } from '../support/product.ts';

const data = { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2010-01-04' };
const experiment = {
  ...{ name: 'bars', model: 'bars', data, lookback: 1, family: 'ridge', baselines: ['naive'] },
  label: { kind: 'forwardLogReturn', horizons: [5] },
  ...{ seeds: [1], confidence: { method: 'none' } },
};
const spec = (name: string) => ({
  ...{ name, data, period: { from: '2013-01-02', to: '2013-12-31' }, paths: 0 },
  strategies: {
    advised: {
      kind: 'advised-size',
      of: { kind: 'sma-cross', fast: 5, slow: 20 },
      ...{ by: 'endpoints', signal: 'strategy' },
    },
  },
});
const KEY = 'sk-of-the-operator-01';

interface Outcome {
  readonly status: string;
  readonly message: string;
  readonly results: readonly object[];
}

describe('the worker is killed while it asks for sizes', { skip: productMissing }, () => {
  const home = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-advised-'));
  let servers: readonly [ChatServer, ChatServer];
  let product: Product;
  before(async () => {
    servers = await Promise.all([openChatServer(), openChatServer()]);
    const [advisor, checker] = servers;
    writeFileSync(join(folder, 'endpoint.key'), KEY);
    writeFileSync(
      join(folder, 'ratchet.config.yaml'),
      `advice:
  advisor: { url: "${advisor.base}", model: first, allowPrivate: true, secretFile: endpoint.key }
  checker: { url: "${checker.base}", model: second, allowPrivate: true }
`,
    );
    // The size is a question's own, so that one answer cannot stand for another; each takes its time.
    const slowly = (server: ChatServer, answer: (size: number) => ReturnType<typeof sizeOf>) =>
      server.react(async (response, request) => {
        const size = 20 + (server.posts.at(-1)!.body.length % 50);
        await sleep(100);
        const reaction = answer(size);
        if (typeof reaction !== 'number') await reaction(response, request);
      });
    slowly(advisor, (size) => sizeOf(size));
    slowly(checker, () => verdictOf('agree', 40));
    process.chdir(folder);
    product = await startProduct(['postgres', 'temporal', 's3', 'workers', 'api']);
    const { status, message } = await product.run(experiment);
    assert.equal(status, 'completed', message);
  });
  after(async () => {
    await product.end();
    process.chdir(home);
    await Promise.all(servers.map((server) => server.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  const start = async (name: string): Promise<string> => {
    const { status, body } = await product.request('POST', '/api/v1/backtests', spec(name));
    assert.equal(status, 202, JSON.stringify(body));
    return String(body['id']);
  };
  const endOf = (id: string): Promise<Outcome> =>
    product.until(
      'the end of the backtest',
      async () => {
        const { body } = await product.request('GET', `/api/v1/backtests/${id}`);
        const over = !['queued', 'running'].includes(String(body['status']));
        return over ? (body as unknown as Outcome) : undefined;
      },
      300_000,
    );
  const asked = (): number => servers[0].posts.length;

  it('and asks no question again that was answered; a rerun asks none, with the same numbers', async () => {
    const id = await start('killed');
    await product.until('some answers', async () => (asked() >= 20 ? true : undefined));
    const worker = product.stack.status().parts.find(({ name }) => name === 'worker');
    process.kill(worker?.pid ?? assert.fail('the worker runs'), 'SIGKILL');
    const before = asked();
    const killed = await endOf(id);
    assert.equal(killed.status, 'completed', killed.message);
    const bodies = servers[0].posts.map(({ body }) => body);
    const twice = bodies.length - new Set(bodies).size;
    assert.ok(before < bodies.length && twice <= 4, `${twice} of those under way`);

    const again = await endOf(await start('killed'));
    assert.equal(asked(), bodies.length, 'nobody was asked');
    assert.deepEqual([again.results, again.message], [killed.results, killed.message]);
    const { body } = await product.request('GET', `/api/v1/backtests/${id}`);
    assert.doesNotMatch(JSON.stringify(body), new RegExp(KEY));
  });

  it('and a cancel ends the asking', async () => {
    const whole = spec('cancelled');
    const { advised } = whole.strategies;
    const other = {
      ...{ ...whole, period: { from: '2011-01-03', to: '2018-12-31' } },
      strategies: { advised: { ...advised, questions: 5_000 } },
    };
    const { body } = await product.request('POST', '/api/v1/backtests', other);
    const from = asked();
    await product.until('some answers', async () => (asked() >= from + 10 ? true : undefined));
    await product.request('POST', `/api/v1/backtests/${String(body['id'])}/cancel`);
    assert.equal((await endOf(String(body['id']))).status, 'cancelled');
    const settled = await product.until('silence', async () => {
      const seen = asked();
      await sleep(1_000);
      return asked() === seen ? seen : undefined;
    });
    // A position was held at some 1,400 of 2,000 bars.
    assert.ok(settled < from + 1_000, `${settled - from} were asked`);
  });
});
