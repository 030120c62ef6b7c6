/** What counts as tried before a backtest. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseBacktestSpec } from '../../core/spec/index.ts';
import { sharpesBefore } from '../../registry/backtest-tries.ts';
import { backtestOrThrow, createBacktest, endBacktest } from '../../registry/backtests.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';

const base = {
  name: 'tried',
  data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC'] },
  period: { from: '2015-01-01' },
  strategies: { cross: { kind: 'sma-cross' } },
};
const asking = (family: string) => ({
  model: { walkForward: { experiment: { family } } },
  strategies: { model: { kind: 'model-signal', by: 'change' } },
});

describe('what was tried before', () => {
  let database: TestDatabase;
  let made = 0;
  before(async () => {
    database = await openTestDatabase();
  });
  after(() => database.close());

  const asked = async (change: object = {}): Promise<string> => {
    const id = `01J${String(++made).padStart(23, '0')}`;
    const spec = parseBacktestSpec({ ...base, ...change });
    return inTransaction(database.db, (trx) =>
      createBacktest(trx, {
        ...{ id, spec, specHash: `hash-${made}`, workflowId: `backtest/${id}` },
        ...{ actor: 'key-1', requestId: undefined },
      }),
    );
  };
  const end = (id: string, sharpes: Readonly<Record<string, number | null>>): Promise<void> => {
    const results = Object.entries(sharpes).map(([strategy, sharpeByBar]) => ({
      ...{ strategy, metrics: { sharpeByBar }, finalEquity: 1, trades: 1, uri: 'cas/0' },
    }));
    return endBacktest(database.db, id, {
      ...{ status: 'completed', message: 'done', results, files: [], warnings: [] },
    });
  };
  const tried = async (change: object, sharpes: Readonly<Record<string, number | null>>) => {
    const id = await asked(change);
    await end(id, sharpes);
    // The driver reads times to the millisecond.
    await new Promise((done) => setTimeout(done, 5));
    return id;
  };
  const triedBefore = async (id: string): Promise<readonly number[]> =>
    (await sharpesBefore(database.db, await backtestOrThrow(database.db, id))).toSorted(
      (a, b) => a - b,
    );

  it('counts a strategy once, however often and beside whatever it was run, by its newest run', async () => {
    const other = { cross: { kind: 'sma-cross' }, rsi: { kind: 'rsi' } };
    await tried({ name: 'once', strategies: other }, { cross: 0.1, rsi: 0.2 });
    await tried({ name: 'once', strategies: { fast: { kind: 'rsi' } } }, { fast: 0.3 });
    await tried({ name: 'once', paths: 7, strategies: other }, { cross: 0.4, rsi: 0.5 });
    await tried({ name: 'else', strategies: other }, { cross: 9, rsi: 9 });
    const own = await asked({ name: 'once', strategies: { macd: { kind: 'macd' } } });
    assert.deepEqual(await triedBefore(own), [0.4, 0.5]);
    const again = await asked({ name: 'once', strategies: { cross: { kind: 'sma-cross' } } });
    assert.deepEqual(await triedBefore(again), [0.5], 'what it tries itself is no other try');
  });

  it('tells tries apart by rules, parameters, instruments and the model that is asked', async () => {
    const name = 'apart';
    await tried({ name, strategies: { cross: { kind: 'sma-cross', fast: 10 } } }, { cross: 0.1 });
    await tried({ name, rules: { noTradeBand: 0.1 } }, { cross: 0.2 });
    const data = { ...base.data, instruments: ['^IXIC'] };
    await tried({ name, data }, { cross: 0.3 });
    await tried({ name, ...asking('ridge') }, { model: 0.4 });
    await tried({ name, ...asking('lstm-multi-horizon') }, { model: 0.5 });
    await tried({ name, ...asking('ridge'), period: { from: '2016-01-01' } }, { model: 0.6 });
    assert.deepEqual(await triedBefore(await asked({ name })), [0.1, 0.2, 0.3, 0.5, 0.6]);
  });

  it('does not change with what ends after it was asked for', async () => {
    const slow = await asked({ name: 'late', strategies: { rsi: { kind: 'rsi' } } });
    await tried({ name: 'late', strategies: { macd: { kind: 'macd' } } }, { macd: 0.1 });
    const own = await asked({ name: 'late' });
    const first = await triedBefore(own);
    assert.deepEqual(first, [0.1]);
    await new Promise((done) => setTimeout(done, 5));
    await end(slow, { rsi: 0.9 });
    assert.deepEqual(await triedBefore(own), first, 'a repeat counts the same');
  });

  it('leaves out what has no Sharpe ratio', async () => {
    await tried({ name: 'none', strategies: { rsi: { kind: 'rsi' } } }, { rsi: null });
    assert.deepEqual(await triedBefore(await asked({ name: 'none' })), []);
  });
});
