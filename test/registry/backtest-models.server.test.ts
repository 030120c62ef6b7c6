/** Backtests by the models that they ask or train. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { sql } from 'kysely';
import { parseBacktestSpec } from '../../core/spec/index.ts';
import { createBacktest, listBacktests } from '../../registry/backtests.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { readMigrations } from '../../registry/migrate.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
before(async () => {
  database = await openTestDatabase();
});
after(() => database.close());

let made = 0;
const asked = (name: string, model: object | undefined, ...instruments: string[]) => {
  const id = `01J${String(++made).padStart(23, '0')}`;
  const asks = model !== undefined;
  const spec = parseBacktestSpec({
    name,
    data: { sources: [{ dataset: 'index-daily' }], instruments },
    period: { from: '2015-01-01' },
    ...(asks && { model }),
    strategies: {
      s: { kind: asks ? 'model-signal' : 'buy-and-hold', ...(asks && { by: 'change' }) },
    },
  });
  return inTransaction(database.db, (trx) =>
    createBacktest(trx, {
      ...{ id, spec, specHash: 'x', workflowId: `backtest/${id}` },
      ...{ actor: 'key-1', requestId: undefined },
    }),
  );
};
const of = async (...models: string[]): Promise<readonly string[]> =>
  (await listBacktests(database.db, { limit: 10, models })).map(({ name }) => name);
const trains = (more: object = {}) => ({
  walkForward: { experiment: { family: 'ridge', ...more } },
});

it('are found by what they ask, and by what they train', async () => {
  await asked('none', undefined, '^GSPC');
  await asked('named', { name: 'index-gspc' }, '^GSPC');
  await asked('each', { name: 'index-{instrument}' }, '^GSPC', '^IXIC');
  await asked('one', trains(), '^GSPC');
  await asked('two', trains(), '^GSPC', '^IXIC');
  await asked('pool', trains({ fit: 'pooled' }), '^GSPC', '^IXIC');
  assert.deepEqual(await of('index-gspc', 'index-{instrument}'), ['each', 'named']);
  assert.deepEqual(await of('index-ixic'), ['each']);
  assert.deepEqual(await of('one-folds'), ['one']);
  assert.deepEqual(await of('two-folds-ixic', 'two-folds-{instrument}'), ['two']);
  assert.deepEqual(await of('pool-folds'), ['pool']);
  assert.deepEqual(await of('two-folds'), []);
});

it('of before are found by the group of what they ask or train', async () => {
  const found = (await readMigrations()).find(({ name }) => name.endsWith('-backtest-models.sql'));
  const [update] = /UPDATE [^;]+;/.exec(found!.sql)!;
  await database.db.updateTable('backtest').set({ models: [] }).execute();
  assert.deepEqual(await of('named', 'index-gspc', 'one-folds'), []);
  await sql.raw(update!).execute(database.db);
  assert.deepEqual(await of('index-gspc', 'index-{instrument}'), ['each', 'named']);
  assert.deepEqual(await of('one-folds'), ['one']);
  assert.deepEqual(await of('two-folds-ixic', 'two-folds-{instrument}'), ['two']);
  const { rows } = await sql<{
    models: string[];
  }>`SELECT models FROM backtest WHERE name = 'none'`.execute(database.db);
  assert.deepEqual(rows[0]!.models, []);
});
