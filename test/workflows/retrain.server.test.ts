import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { TASK_QUEUES, workflowIds } from '../../workflows/messages.ts';
import { scriptedActivities, type Script } from '../support/scripted-activities.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';
import { untilTrue } from '../support/until.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const asOf = '2024-01-06T00:00:00.000Z';

/** Runs until it is cancelled, as a fit does. */
async function endless(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  return context.cancelled.finally(() => clearInterval(beat));
}

describe('workflow retrain', { skip: temporalMissing }, () => {
  let env: TestWorkflowEnvironment;
  let next = 0;
  before(async () => {
    env = await startTemporal();
  });
  after(async () => {
    await env.teardown();
  });

  interface Run {
    readonly handle: WorkflowHandle;
    readonly experiment: WorkflowHandle;
    inputsOf<T>(name: string): T[];
  }
  interface Ended {
    readonly status: string;
    readonly outcome: string;
  }

  async function retrain(
    script: Script,
    run: (retrain: Run) => Promise<void>,
    { taken = false } = {},
  ): Promise<void> {
    const id = `RETRAIN-${next++}`;
    const { activities, calls } = scriptedActivities(script);
    const { workflow } = env.client;
    const experimentId = workflowIds.experiment(id);
    if (taken) {
      // Its workers are others: it stays where it is.
      const elsewhere = { taskQueue: 'elsewhere', workflowId: experimentId };
      await workflow.start('experiment', { ...elsewhere, args: [{ experimentId: id }] });
    }
    const inputsOf = <T>(name: string): T[] =>
      calls.filter((call) => call.name === name).map((call) => call.input as T);
    await withWorkers(env.nativeConnection, activities, async () => {
      const handle = await workflow.start('retrain', {
        taskQueue: TASK_QUEUES.orchestration,
        workflowId: workflowIds.retrain(id),
        args: [{ model: id, retrainId: `retrain-${id}`, experimentId: id, asOf }],
      });
      await run({ handle, experiment: workflow.getHandle(experimentId), inputsOf });
    });
  }

  const statusOf = async (handle: WorkflowHandle): Promise<string> =>
    (await handle.describe()).status.name;

  it('ends on record, and the lifecycle looks again as of its moment; good news is no alert', async () => {
    await retrain({}, async ({ handle, inputsOf }) => {
      await handle.result();
      const [end] = inputsOf<Ended>('finishRetrain');
      assert.equal(end?.status, 'completed');
      assert.equal(end?.outcome, 'version 7: Better than naive.');
      assert.equal(inputsOf<{ asOf: string }>('announceTick')[0]?.asOf, asOf);
      const promoted = inputsOf('switchChampion').length;
      assert.equal(promoted, 1);
    });
  });

  it('a cancel ends its experiment and frees the training slot', async () => {
    await retrain({ override: { fit: endless } }, async ({ handle, experiment, inputsOf }) => {
      await untilTrue(() => inputsOf('fit').length > 0);
      await handle.cancel();
      await assert.rejects(handle.result());
      assert.equal(await statusOf(handle), 'CANCELLED');
      assert.equal(await statusOf(experiment), 'CANCELLED');
      assert.equal(inputsOf<Ended>('finishRetrain')[0]?.status, 'cancelled');
      assert.equal(inputsOf('announceTick').length, 1);
    });
  });

  it('an experiment that is cancelled by itself is an end like others', async () => {
    await retrain({ override: { fit: endless } }, async ({ handle, experiment, inputsOf }) => {
      await untilTrue(() => inputsOf('fit').length > 0);
      await experiment.cancel();
      await handle.result();
      assert.equal(inputsOf<Ended>('finishRetrain')[0]?.status, 'cancelled');
      assert.equal(inputsOf('dispatchAlerts').length, 1);
    });
  });

  it('an experiment that runs already is waited for, and a failure of it is a failure', async () => {
    const script: Script = {
      override: { awaitExperiment: async () => ({ status: 'failed', message: 'No bars came.' }) },
    };
    const waits = async ({ handle, inputsOf }: Run): Promise<void> => {
      await handle.result();
      const [end] = inputsOf<Ended>('finishRetrain');
      assert.deepEqual([end?.status, end?.outcome], ['failed', 'No bars came.']);
      assert.equal(inputsOf('dispatchAlerts').length, 1);
    };
    await retrain(script, waits, { taken: true });
  });

  it('a cancel reaches an experiment that somebody else began', async () => {
    const waits = async ({ handle, experiment, inputsOf }: Run): Promise<void> => {
      await untilTrue(() => inputsOf('awaitExperiment').length > 0);
      await handle.cancel();
      await assert.rejects(handle.result());
      const { events } = await experiment.fetchHistory();
      const asked = events?.some((event) => event.workflowExecutionCancelRequestedEventAttributes);
      assert.ok(asked, 'its cancel is asked for');
      assert.equal(inputsOf<Ended>('finishRetrain')[0]?.status, 'cancelled');
    };
    await retrain({ override: { awaitExperiment: endless } }, waits, { taken: true });
  });
});
