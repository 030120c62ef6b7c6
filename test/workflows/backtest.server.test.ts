import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Activities } from '../../activities/index.ts';
import { TASK_QUEUES, workflowIds } from '../../workflows/messages.ts';
import { scriptedActivities, type Script } from '../support/scripted-activities.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';
import { untilTrue } from '../support/until.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const FOLDS = 9;
/** workflows/backtest.ts */
const FOLDS_AT_ONCE = 4;
const training = { trainTo: '2017-12-31', asOf: '2018-01-01T21:00:00.000Z' };
const folds = (count: number) =>
  Array.from({ length: count }, (_, fold) => ({
    fold,
    from: `201${fold}-01-01T00:00:00.000Z`,
    to: `201${fold}-12-31T00:00:00.000Z`,
    training,
  }));
const planned = (count: number): Script['override'] => ({
  planBacktest: async () => ({ folds: folds(count) }),
});
const endless = async (): Promise<never> => {
  Context.current().heartbeat();
  const beat = setInterval(() => Context.current().heartbeat(), 200);
  try {
    return (await Context.current().cancelled) as never;
  } finally {
    clearInterval(beat);
  }
};

describe('workflow backtest', { skip: temporalMissing }, () => {
  let env: TestWorkflowEnvironment;
  before(async () => {
    env = await startTemporal();
  });
  after(() => env.teardown());

  type Calls = readonly { readonly name: string; readonly input: unknown }[];
  async function scripted(
    override: Script['override'],
    run: (calls: Calls) => Promise<void>,
  ): Promise<void> {
    const { activities, calls } = scriptedActivities({ seeds: [2], override: override! });
    await withWorkers(env.nativeConnection, activities, () => run(calls));
  }
  const start = (backtestId: string): Promise<WorkflowHandle> =>
    env.client.workflow.start('backtest', {
      taskQueue: TASK_QUEUES.orchestration,
      workflowId: workflowIds.backtest(backtestId),
      args: [{ backtestId }],
    });
  const statusOf = async (experimentId: string): Promise<string> => {
    const handle = env.client.workflow.getHandle(workflowIds.experiment(experimentId));
    return (await handle.describe()).status.name;
  };
  const inputsOf = (calls: Calls, name: keyof Activities): readonly unknown[] =>
    calls.filter((call) => call.name === name).map(({ input }) => input);
  const isCancelled = (error: unknown): true => {
    assert.ok(error instanceof WorkflowFailedError);
    assert.equal(error.cause?.name, 'CancelledFailure');
    return true;
  };

  it('opens a training when its turn has come, and stops all of them when it is cancelled', async () => {
    const openFold: Activities['openFold'] = async ({ fold }) => ({
      experimentId: `STOP${fold.fold}`,
    });
    await scripted({ ...planned(FOLDS), openFold, fit: endless }, async (calls) => {
      const handle = await start('STOP');
      const fits = () => inputsOf(calls, 'fit').length;
      await untilTrue(() => fits() >= FOLDS_AT_ONCE, 'four folds to train');
      assert.equal(inputsOf(calls, 'openFold').length, FOLDS_AT_ONCE);
      await handle.cancel();
      await assert.rejects(handle.result(), isCancelled);
      assert.equal(inputsOf(calls, 'openFold').length, FOLDS_AT_ONCE, 'none is opened afterwards');
      assert.equal(inputsOf(calls, 'leaveFold').length, FOLDS_AT_ONCE);
      for (let fold = 0; fold < FOLDS_AT_ONCE; fold++) {
        assert.equal(await statusOf(`STOP${fold}`), 'CANCELLED');
      }
      const [end] = inputsOf(calls, 'failBacktest') as { status: string; reason: string }[];
      assert.deepEqual([end?.status, end?.reason], ['cancelled', 'cancelled on request']);
    });
  });

  it('leaves a training alone that another backtest waits for', async () => {
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const { activities } = scriptedActivities();
    const fit: Activities['fit'] = async (input) => {
      await gate;
      return activities.fit(input);
    };
    const ends: string[] = [];
    const override: Script['override'] = {
      ...planned(1),
      fit,
      openFold: async () => ({ experimentId: 'SHARED' }),
      leaveFold: async () => ({ unwanted: false }),
      awaitExperiment: endless,
      noteFold: async ({ backtestId, status }) => {
        ends.push(`${backtestId} ${status}`);
      },
    };
    await scripted(override, async (calls) => {
      const first = await start('FIRST');
      await untilTrue(() => inputsOf(calls, 'fit').length > 0, 'the first to train');
      const second = await start('SECOND');
      await untilTrue(() => inputsOf(calls, 'awaitExperiment').length > 0, 'the second to wait');
      await second.cancel();
      await assert.rejects(second.result(), isCancelled);
      assert.equal(await statusOf('SHARED'), 'RUNNING');
      go();
      await first.result();
      assert.deepEqual(ends, ['FIRST completed']);
    });
  });

  it('goes on with its training for another when the one that began it is cancelled', async () => {
    const override: Script['override'] = {
      ...planned(1),
      fit: endless,
      openFold: async () => ({ experimentId: 'OWNED' }),
      leaveFold: async () => ({ unwanted: false }),
    };
    await scripted(override, async (calls) => {
      const owner = await start('OWNER');
      await untilTrue(() => inputsOf(calls, 'fit').length > 0, 'it to train');
      await owner.cancel();
      await assert.rejects(owner.result(), isCancelled);
      assert.equal(await statusOf('OWNED'), 'RUNNING');
      const handle = env.client.workflow.getHandle(workflowIds.experiment('OWNED'));
      await handle.cancel();
      await assert.rejects(handle.result(), isCancelled);
    });
  });

  it('begins a training anew that somebody else cancelled, and fails where that goes on', async () => {
    const { activities } = scriptedActivities();
    let opened = 0;
    const cancelOne = async (id: string): Promise<void> =>
      env.client.workflow
        .getHandle(workflowIds.experiment(id))
        .cancel()
        .then(() => undefined);
    const override = (fits: (n: number) => Activities['fit']): Script['override'] => ({
      ...planned(1),
      openFold: async ({ backtestId }) => ({ experimentId: `${backtestId}${++opened}` }),
      fit: (input) => fits(opened)(input),
    });
    await scripted(
      override((n) => (n === 1 ? endless : activities.fit)),
      async (calls) => {
        const handle = await start('ANEW');
        await untilTrue(() => inputsOf(calls, 'fit').length > 0, 'it to train');
        await cancelOne('ANEW1');
        await handle.result();
        const [noted, more] = inputsOf(calls, 'noteFold') as { status: string; fold: object }[];
        assert.equal(more, undefined);
        assert.deepEqual(
          [noted?.status, noted?.fold],
          ['completed', { ...folds(1)[0], experimentId: 'ANEW2' }],
        );
      },
    );
    await scripted(
      override(() => endless),
      async (calls) => {
        opened = 0;
        const handle = await start('AGAIN');
        for (let n = 1; n <= 3; n++) {
          const id = `AGAIN${n}`;
          const begun = () =>
            inputsOf(calls, 'fit').some((one) => JSON.stringify(one).includes(id));
          await untilTrue(begun, `training ${n}`);
          await cancelOne(id);
        }
        await assert.rejects(handle.result(), (error) => {
          assert.match(String((error as Error).cause), /training of fold 0 was cancelled 3 times/);
          return true;
        });
      },
    );
  });
});
