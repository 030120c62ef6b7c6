import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { TASK_QUEUES, workflowIds } from '../../workflows/messages.ts';
import { permanent, scriptedActivities, type Script } from '../support/scripted-activities.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';
import { untilTrue } from '../support/until.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const asOf = '2024-01-06T00:00:00.000Z';

describe('workflows settle and monitor', { skip: temporalMissing }, () => {
  let env: TestWorkflowEnvironment;
  let nextModel = 0;
  before(async () => {
    env = await startTemporal();
  });
  after(async () => {
    await env.teardown();
  });

  type Kind = 'settle' | 'monitor';
  interface Slot {
    readonly model: string;
    readonly calls: readonly { name: string; input: unknown }[];
    readonly names: () => string[];
  }

  async function inSlot(script: Script, run: (slot: Slot) => Promise<void>): Promise<void> {
    const { activities, calls } = scriptedActivities(script);
    const model = `slot-${nextModel++}`;
    const names = (): string[] => calls.map(({ name }) => name);
    await withWorkers(env.nativeConnection, activities, () => run({ model, calls, names }));
  }

  const execute = (kind: Kind, input: { model: string; asOf?: string }): Promise<unknown> =>
    env.client.workflow.execute(kind, {
      taskQueue: TASK_QUEUES.orchestration,
      workflowId: workflowIds[kind](input.model),
      args: [input],
    });

  /** As the Schedule would: its slot is long past when a worker comes. */
  async function onSchedule(kind: Kind, model: string): Promise<WorkflowHandle> {
    const workflowId = workflowIds[kind](model);
    const schedule = await env.client.schedule.create({
      scheduleId: workflowId,
      spec: { intervals: [{ every: '1 day' }] },
      action: {
        ...{ type: 'startWorkflow', workflowType: kind, workflowId, args: [{ model }] },
        taskQueue: TASK_QUEUES.orchestration,
      },
      state: { paused: true },
    });
    const end = new Date(asOf);
    await schedule.backfill({ start: new Date(end.getTime() - 1_000), end, overlap: 'ALLOW_ALL' });
    const handle = env.client.workflow.getHandle(`${workflowId}-2024-01-06T00:00:00Z`);
    await untilTrue(() =>
      handle.describe().then(
        () => true,
        () => false,
      ),
    );
    return handle;
  }

  it('collects bars, settles, and tells the lifecycle, in this order and as of one moment', async () => {
    await inSlot({}, async ({ model, calls }) => {
      await execute('settle', { model, asOf });
      assert.deepEqual(
        calls,
        ['topUpBars', 'settle', 'announceTick'].map((name) => ({ name, input: { model, asOf } })),
      );
    });
  });

  for (const kind of ['settle', 'monitor'] as const) {
    it(`${kind} on a Schedule looks at the slot that was meant, however late it runs`, async () => {
      await inSlot({}, async ({ model, calls }) => {
        await (await onSchedule(kind, model)).result();
        assert.deepEqual(calls[0]?.input, { model, asOf });
      });
    });
  }

  it('settles nothing and tells nobody where bars cannot be had', async () => {
    const script: Script = {
      override: {
        topUpBars: async () => {
          throw permanent('source.refused', 'the vendor refuses the key');
        },
      },
    };
    await inSlot(script, async ({ model, names }) => {
      await assert.rejects(execute('settle', { model, asOf }));
      assert.deepEqual(names(), ['topUpBars']);
    });
  });

  it('says that a moment is settled only when it is', async () => {
    const script: Script = {
      override: {
        settle: async () => {
          throw permanent('settle.rows', 'the rows contradict each other');
        },
      },
    };
    await inSlot(script, async ({ model, names }) => {
      await assert.rejects(execute('settle', { model, asOf }));
      assert.deepEqual(names(), ['topUpBars', 'settle']);
    });
  });

  it('a calm report is told to nobody; a warning leaves as an alert and asks for nothing', async () => {
    await inSlot({}, async ({ model, names }) => {
      await execute('monitor', { model, asOf });
      assert.deepEqual(names(), ['monitor']);
    });
    const warned = { reportId: 'r', verdict: 'warn', signals: [], words: [] } as const;
    await inSlot({ override: { monitor: async () => warned } }, async ({ model, names }) => {
      assert.deepEqual(await execute('monitor', { model, asOf }), warned);
      assert.deepEqual(names(), ['monitor', 'dispatchAlerts']);
    });
  });

  it('what asks for a retrain is signalled with its report before alerts leave', async () => {
    const drifted = { reportId: 'r-1', verdict: 'drift', signals: ['loss'], words: [] } as const;
    await inSlot(
      { override: { monitor: async () => drifted } },
      async ({ model, calls, names }) => {
        await execute('monitor', { model, asOf });
        assert.deepEqual(names(), ['monitor', 'signalDrift', 'dispatchAlerts']);
        assert.deepEqual(calls[1]?.input, { model, asOf, reasons: ['loss'], reportId: 'r-1' });
      },
    );
  });

  it('a report that fails signals nothing', async () => {
    const script: Script = {
      override: {
        monitor: async () => {
          throw permanent('monitor.spec', 'the spec is of an unknown release');
        },
      },
    };
    await inSlot(script, async ({ model, names }) => {
      await assert.rejects(execute('monitor', { model, asOf }));
      assert.deepEqual(names(), ['monitor']);
    });
  });
});
