import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ulid } from 'ulid';
import { createBacktestAnswerActivities } from '../../activities/backtest-answers.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { decodeAnswers } from '../../core/backtest/index.ts';
import { parseBacktestSpec } from '../../core/spec/index.ts';
import { keptAnswers } from '../../registry/backtest-answers.ts';
import { createBacktest, readBacktestEvents } from '../../registry/backtests.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { openCollectFixture, type CollectFixture } from '../support/collect-fixture.ts';

const instruments = ['^GSPC', '^IXIC', '^DJI'];
const spec = parseBacktestSpec({
  name: 'resumed',
  data: { sources: [{ dataset: 'sp500-daily' }], instruments },
  period: { from: '2015-01-01', to: '2015-06-30' },
  model: { name: 'nobody-{instrument}' },
  strategies: { model: { kind: 'model-signal', by: 'change' } },
});
const fold = { fold: 3, from: '2015-01-02T14:30:00.000Z', to: '2015-06-30T14:30:00.000Z' };

let fixture: CollectFixture;
before(async () => {
  fixture = await openCollectFixture();
});
after(() => fixture.close());

it('a fold is answered from where an earlier attempt was cut off', async () => {
  const { db } = fixture;
  const backtestId = ulid();
  await inTransaction(db, (trx) =>
    createBacktest(trx, {
      ...{ id: backtestId, spec, specHash: 'x', workflowId: `backtest/${backtestId}` },
      ...{ actor: 'key-1', requestId: undefined },
    }),
  );
  const deps = fixture.depsOf();
  const put: string[] = [];
  let cut = true;
  const artifacts: ActivityDeps['artifacts'] = {
    ...deps.artifacts,
    get: (ref) => deps.artifacts.get(ref),
    put: async (bytes, rows) => {
      if (cut && put.length === 1) throw new Error('the store is away');
      const stored = await deps.artifacts.put(bytes, rows);
      put.push(stored.uri);
      return stored;
    },
  };
  const answer = () => {
    const { answerFold } = createBacktestAnswerActivities({ ...deps, artifacts });
    return new MockActivityEnvironment().run(answerFold, { backtestId, fold });
  };
  await assert.rejects(answer(), /the store is away/);
  cut = false;
  assert.deepEqual(await answer(), { fold: 3 }, 'no list that grows with instruments');
  assert.equal(put.length, instruments.length, 'the first is not answered again');
  assert.deepEqual(await answer(), { fold: 3 });
  assert.equal(put.length, instruments.length);
  const kept = await keptAnswers(db, backtestId);
  assert.deepEqual(
    kept.map((one) => [one.fold, one.instrument]),
    instruments.toSorted().map((instrument) => [3, instrument]),
  );
  for (const { columns } of kept) {
    assert.equal(decodeAnswers(await artifacts.get(columns)).session.length, columns.rows);
    assert.ok(columns.rows! > 120, `${columns.rows} sessions`);
  }
  const events = await readBacktestEvents(db, backtestId);
  const rows = kept.reduce((sum, { columns }) => sum + columns.rows!, 0);
  assert.deepEqual(
    events.map(({ kind, payload }) => [kind, payload['rows']]),
    [['answers', rows]],
  );
});
