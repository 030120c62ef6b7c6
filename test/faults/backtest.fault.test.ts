import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { productMissing, startProduct, type Product } from '../support/product.ts';

/** Eight folds of two markets, closed-form and small: 16 models, so that kills fall in between. */
const spec = (name: string) => ({
  name,
  data: {
    sources: [{ dataset: 'simulated-momentum' }],
    instruments: ['SIM-A', 'SIM-B'],
    from: '2012-01-01',
  },
  period: { from: '2018-01-01', to: '2019-12-31' },
  model: {
    walkForward: {
      every: 'quarter',
      experiment: {
        lookback: 1,
        label: { kind: 'forwardLogReturn', horizons: [1] },
        split: { kind: 'recent', trainBars: 600, validBars: 100, testBars: 100 },
        scaling: { features: 'standard', labels: 'standard' },
        family: 'ridge',
        baselines: ['naive'],
        seeds: [1],
        confidence: { method: 'none' },
      },
    },
  },
  strategies: {
    model: { kind: 'model-signal', by: 'change', cuts: { buy: 0.0005, strongBuy: 0.002 } },
    hold: { kind: 'buy-and-hold' },
  },
  paths: 200,
});

interface Outcome {
  readonly id: string;
  readonly status: string;
  readonly message: string;
  readonly results: readonly { readonly strategy: string; readonly metrics: object }[];
}

describe('every process is killed in the middle of a backtest', { skip: productMissing }, () => {
  let product: Product;
  before(async () => {
    product = await startProduct();
  });
  after(() => product.end());

  const eventsOf = async (id: string, kind: string): Promise<number> => {
    const { body } = await product.request('GET', `/api/v1/backtests/${id}/events`);
    return (body['items'] as { kind: string }[]).filter((event) => event.kind === kind).length;
  };
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
        return ['queued', 'running'].includes(String(body['status']))
          ? undefined
          : (body as unknown as Outcome);
      },
      300_000,
    );
  const kill = async (victims: readonly string[]): Promise<void> => {
    const { parts } = product.stack.status();
    for (const { name, pid } of parts) {
      if (victims.includes(name)) process.kill(pid ?? assert.fail(`${name} runs`), 'SIGKILL');
    }
    await product.until('every part to be ready again', async () =>
      product.stack.status().ready ? true : undefined,
    );
  };

  it('and its numbers are those of one that ran through, bit for bit', async () => {
    const workers = product.stack
      .status()
      .parts.map(({ name }) => name)
      .filter((name) => name.startsWith('worker'));
    assert.ok(workers.length >= 1);
    const id = await start('killed');
    for (const folds of [1, 4]) {
      await product.until(`${folds} folds`, async () =>
        (await eventsOf(id, 'fold')) >= folds ? true : undefined,
      );
      assert.equal(await eventsOf(id, 'done'), 0, 'killed in the middle');
      await kill(workers);
    }
    const killed = await endOf(id);
    assert.equal(killed.status, 'completed', killed.message);
    assert.equal(await eventsOf(id, 'fold'), 8);
    const whole = await endOf(await start('whole'));
    assert.deepEqual(killed.results, whole.results);
    assert.equal(killed.message, whole.message);
  });

  it('and asked for again it trains nothing', async () => {
    const models = async (): Promise<number> => {
      const path = '/api/v1/ml-models/whole-folds-sim-a/versions?limit=100';
      const { body } = await product.request('GET', path);
      return (body['items'] as unknown[]).length;
    };
    const before = await models();
    assert.equal(before, 8);
    const again = await endOf(await start('whole'));
    assert.equal(again.status, 'completed', again.message);
    assert.equal(await models(), before);
    // Of a name its other specs count as tries, not itself.
    const { body } = await product.request('GET', '/api/v1/backtests?name=whole');
    const [newest, first] = body['items'] as Outcome[];
    assert.deepEqual(newest!.results, first!.results);
  });
});
