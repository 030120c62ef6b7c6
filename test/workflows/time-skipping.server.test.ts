import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { TASK_QUEUES, workflowIds, type ExperimentOutcome } from '../../workflows/messages.ts';
import { scriptedActivities } from '../support/scripted-activities.ts';
import { bundleOf, startTimeSkipping, timeSkippingMissing } from '../support/time-skipping.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const DAY_MS = 86_400_000;

describe('time-skipping server', { skip: timeSkippingMissing }, () => {
  let env: TestWorkflowEnvironment;

  before(async () => {
    env = await startTimeSkipping();
  });
  after(async () => {
    await env.teardown();
  });

  it('lets 21 days of a timer pass while a test waits for the result', async () => {
    const worker = await Worker.create({
      connection: env.nativeConnection,
      taskQueue: 'weeks',
      workflowBundle: await bundleOf(fileURLToPath(new URL('./weeks.ts', import.meta.url))),
    });
    const begin = await env.currentTimeMs();
    const really = performance.now();
    const { waitedDays } = await worker.runUntil(
      env.client.workflow.execute('wait', {
        taskQueue: 'weeks',
        workflowId: 'wait/21',
        args: [{ days: 21 }],
      }) as Promise<{ waitedDays: number }>,
    );
    assert.ok(waitedDays >= 21 && waitedDays < 21.1, `${waitedDays} days`);
    assert.ok((await env.currentTimeMs()) - begin >= 21 * DAY_MS);
    assert.ok(performance.now() - really < DAY_MS, 'the test itself does not wait');
  });

  it("runs the platform's own workflows, hours of retries included", async () => {
    const begin = await env.currentTimeMs();
    const { activities, calls } = scriptedActivities({
      override: {
        // The registry is away for two hours of the server's time.
        register: async ({ unit }) => {
          const passed = (await env.currentTimeMs()) - begin;
          if (passed < 2 * 3_600_000) throw new Error('connection refused');
          return { model: unit.model, version: 7 };
        },
      },
    });
    const outcome = await withWorkers(env.nativeConnection, activities, () =>
      env.client.workflow.execute('experiment', {
        taskQueue: TASK_QUEUES.orchestration,
        workflowId: workflowIds.experiment('HOURS'),
        args: [{ experimentId: 'HOURS' }],
      }),
    );
    assert.equal((outcome as ExperimentOutcome).status, 'completed');
    const tries = calls.filter(({ name }) => name === 'register').length;
    assert.ok(tries > 100, `${tries} attempts, at most half a minute apart`);
  });
});
