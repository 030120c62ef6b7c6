import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { ulid } from 'ulid';
import { problemKindOf } from '../../core/problems.ts';
import { RatchetError } from '../../core/errors.ts';
import { parseBacktestSpec } from '../../core/spec/index.ts';
import { createBacktest, endBacktest, OPEN_BACKTESTS } from '../../registry/backtests.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';

const spec = parseBacktestSpec({
  name: 'many',
  data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC'] },
  period: { from: '2015-01-01' },
  strategies: { hold: { kind: 'buy-and-hold' } },
});

let database: TestDatabase;
before(async () => {
  database = await openTestDatabase({ max: 20 });
});
after(() => database.close());

it('a key has so many backtests open and no more, asked for at once as well', async () => {
  const asked = (actor: string): Promise<string> =>
    inTransaction(database.db, (trx) => {
      const id = ulid();
      const row = { id, spec, specHash: 'x', workflowId: `backtest/${id}` };
      return createBacktest(trx, { ...row, actor, requestId: undefined });
    });
  const all = await Promise.allSettled(
    Array.from({ length: OPEN_BACKTESTS + 4 }, () => asked('busy')),
  );
  const made = all.filter((one) => one.status === 'fulfilled').map(({ value }) => value);
  assert.equal(made.length, OPEN_BACKTESTS);
  for (const one of all) {
    if (one.status === 'fulfilled') continue;
    assert.ok(one.reason instanceof RatchetError);
    assert.equal(one.reason.code, 'backtest.too-many');
    assert.equal(problemKindOf(one.reason), 'too-many-requests');
  }
  await asked('other');
  await endBacktest(database.db, made[0]!, { status: 'cancelled', message: 'enough' });
  await asked('busy');
  await assert.rejects(asked('busy'), { code: 'backtest.too-many' });
});
