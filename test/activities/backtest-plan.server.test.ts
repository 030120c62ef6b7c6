import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ulid } from 'ulid';
import { createBacktestPlanActivities } from '../../activities/backtest-plan.ts';
import { parseBacktestSpec } from '../../core/spec/index.ts';
import { backtestOrThrow, createBacktest, endBacktest } from '../../registry/backtests.ts';
import {
  endExperiment,
  getExperimentOrThrow,
  listExperiments,
  startExperiment,
} from '../../registry/experiments.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { leftOpen } from '../../registry/left-open.ts';
import { openCollectFixture, type CollectFixture } from '../support/collect-fixture.ts';

const spec = parseBacktestSpec({
  name: 'shared',
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2006-01-01' },
  period: { from: '2015-01-01', to: '2015-12-31' },
  model: { walkForward: { every: 'month', experiment: { family: 'ridge' } } },
  strategies: { model: { kind: 'model-signal', by: 'change' } },
});

describe('the plan of a backtest', () => {
  let fixture: CollectFixture;
  before(async () => {
    fixture = await openCollectFixture();
  });
  after(() => fixture.close());

  const activities = () => createBacktestPlanActivities(fixture.depsOf());
  const asked = (of = spec): Promise<string> => {
    const id = ulid();
    return inTransaction(fixture.db, (trx) =>
      createBacktest(trx, {
        ...{ id, spec: of, specHash: 'spec', workflowId: `backtest/${id}` },
        ...{ actor: 'key-1', requestId: undefined },
      }),
    );
  };
  const plan = async (backtestId: string) =>
    (await activities().planBacktest({ backtestId })).folds;
  /** Opens the training of a fold; gives the id of its experiment. */
  const open = async (backtestId: string, at: number): Promise<string> => {
    const fold = (await plan(backtestId))[at]!;
    return (await activities().openFold({ backtestId, fold })).experimentId;
  };
  const openExperiments = async (): Promise<readonly string[]> => {
    const before = new Date(Date.now() + 60_000);
    const sought = { table: 'experiment', before, limit: 100 } as const;
    return [
      ...(await leftOpen(fixture.db, { ...sought, status: 'queued' })),
      ...(await leftOpen(fixture.db, { ...sought, status: 'running' })),
    ];
  };

  it('leaves nothing that a sweeper would start before the turn of its fold', async () => {
    const id = await asked();
    assert.equal((await plan(id)).length, 12);
    assert.deepEqual((await listExperiments(fixture.db, { limit: 100 })).items, []);
    const first = await open(id, 0);
    assert.equal(await open(id, 0), first, 'found by what it trains');
    assert.deepEqual(await openExperiments(), [first]);
    const left = await activities().leaveFold({ backtestId: id, experimentId: first });
    assert.deepEqual(left, { unwanted: true });
    assert.deepEqual(await openExperiments(), [], 'nothing had begun it');
  });

  it('stops a training only when the last backtest that waits for it leaves', async () => {
    const [a, b, c] = [await asked(), await asked(), await asked()];
    const shared = await open(a, 1);
    assert.deepEqual([await open(b, 1), await open(c, 1)], [shared, shared]);
    await startExperiment(fixture.db, shared);
    const leave = async (backtestId: string): Promise<boolean> =>
      (await activities().leaveFold({ backtestId, experimentId: shared })).unwanted;
    assert.equal(await leave(a), false);
    // One that ended waits for nothing any more.
    await endBacktest(fixture.db, c, { status: 'failed', message: 'no bars' });
    assert.equal(await leave(b), true);
    const { status } = await getExperimentOrThrow(fixture.db, shared);
    assert.equal(status, 'running', 'its workflow ends it');
  });

  it('gives a successor to a training that was cancelled, and none to one that was completed', async () => {
    const id = await asked();
    const first = await open(id, 2);
    await endExperiment(fixture.db, first, { status: 'cancelled', message: 'by a person' });
    const second = await open(id, 2);
    assert.notEqual(second, first);
    await endExperiment(fixture.db, second, { status: 'completed', message: 'done' });
    assert.equal(await open(id, 2), second);
  });

  it('counts the folds of a period without an end before anything is trained', async () => {
    const id = await asked({ ...spec, period: { from: '1960-01-01' } });
    await assert.rejects(plan(id), { code: 'backtest.folds', permanent: true });
  });

  it('does not begin a backtest that was cancelled before its workflow came to it', async () => {
    const id = await asked();
    await endBacktest(fixture.db, id, { status: 'cancelled', message: 'before it began' });
    await assert.rejects(plan(id), { code: 'backtest.ended', permanent: true });
    assert.equal((await backtestOrThrow(fixture.db, id)).message, 'before it began');
  });

  it('opens nothing for a backtest that has ended', async () => {
    const id = await asked();
    const fold = (await plan(id))[3]!;
    await endBacktest(fixture.db, id, { status: 'cancelled', message: 'before it began' });
    await assert.rejects(activities().openFold({ backtestId: id, fold }), {
      code: 'backtest.ended',
    });
  });
});
