import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { startStack } from '../../infra/stack.ts';
import { newState, PATIENCE_MS, skipStack } from '../support/stack.ts';

const TASKS = 24;
/** Places: a task reaches the queue a little after its start is told. */
const OVERTAKEN = 3;
const QUEUE = 'in-order';

/** Takes the next task of the queue as a worker would; the id of the workflow that it is of. */
async function nextTask(connection: Connection): Promise<string> {
  const { workflowExecution } = await connection.withDeadline(Date.now() + PATIENCE_MS, () =>
    connection.workflowService.pollWorkflowTaskQueue({
      namespace: 'default',
      taskQueue: { name: QUEUE },
      identity: 'test',
    }),
  );
  return String(workflowExecution?.workflowId);
}

describe('tasks of the embedded Temporal', { skip: skipStack }, () => {
  test('are given out in the order in which they came', async () => {
    const stack = await startStack({ stateDir: newState(), parts: ['temporal'] });
    const connection = await Connection.connect({ address: stack.config.temporal.address });
    try {
      const { workflow } = new Client({ connection });
      const asked = Array.from({ length: TASKS }, (_, number) => `workflow-${number}`);
      for (const workflowId of asked) {
        await workflow.start('unknown', { workflowId, taskQueue: QUEUE });
      }
      const given: string[] = [];
      while (given.length < TASKS) given.push(await nextTask(connection));
      const moved = given.map((id, place) => Math.abs(place - asked.indexOf(id)));
      assert.ok(Math.max(...moved) <= OVERTAKEN, given.join(' '));
    } finally {
      await connection.close();
      await stack.stop();
    }
  });
});
