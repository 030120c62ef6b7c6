import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ulid } from 'ulid';
import { Worker } from '@temporalio/worker';
import { openOrchestrator } from '../../api/orchestrator.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { ensureSchedules } from '../../infra/schedules.ts';
import { TASK_QUEUES } from '../../workflows/messages.ts';
import { startTemporal, temporalMissing, workflowBundle } from '../support/temporal.ts';

const MODEL = 'index-gspc';

describe('orchestrator', { skip: temporalMissing }, () => {
  it('starts, refuses doubles, cancels and describes on a real Temporal', async () => {
    const temporal = await startTemporal();
    const address = temporal.address;
    const orchestrator = openOrchestrator({ address, namespace: 'default' });
    try {
      await orchestrator.ping();
      const id = ulid();
      assert.equal(await orchestrator.experimentState(id), 'unknown');
      assert.equal(await orchestrator.cancelExperiment(id), false);
      assert.equal(await orchestrator.startExperiment(id), true);
      assert.equal(await orchestrator.startExperiment(id), false);
      assert.equal(await orchestrator.experimentState(id), 'running');
      assert.equal(await orchestrator.cancelExperiment(id), true);
      const handle = temporal.client.workflow.getHandle(`experiment/${id}`);
      await handle.terminate();
      assert.equal(await orchestrator.experimentState(id), 'ended');
      // It ran once: it never starts again under this id.
      assert.equal(await orchestrator.startExperiment(id), false);

      const slot = { model: MODEL, asOf: '2024-05-01T21:30:00.000Z' };
      for (const [type, start] of [
        ['settle', orchestrator.startSettle],
        ['monitor', orchestrator.startMonitor],
      ] as const) {
        assert.equal(await start(slot), true);
        assert.equal(await start(slot), false, 'one at a time');
        await temporal.client.workflow.getHandle(`${type}/${MODEL}`).terminate();
        assert.equal(await start(slot), true, 'and the next when it has ended');
      }
    } finally {
      await orchestrator.close();
      await temporal.teardown();
    }
  });

  it('sends Updates to a lifecycle that it starts: refusals with their code, one order once', async () => {
    const temporal = await startTemporal();
    const orchestrator = openOrchestrator({ address: temporal.address, namespace: 'default' });
    const frozen: object[] = [];
    const activities = {
      setFrozen: async (change: object) => {
        frozen.push(change);
        return { changed: true };
      },
      considerRetrain: async () => ({ action: 'wait', keep: false, why: [] }),
    };
    const worker = { connection: temporal.nativeConnection };
    const workers = await Promise.all([
      Worker.create({
        ...worker,
        taskQueue: TASK_QUEUES.orchestration,
        workflowBundle: await workflowBundle(),
      }),
      Worker.create({ ...worker, taskQueue: TASK_QUEUES.general, activities }),
    ]);
    const promotion = (updateId: string) => ({
      model: MODEL,
      update: 'promote' as const,
      updateId,
      outcomeMs: 10_000,
      request: {
        promotionId: ulid(),
        version: 1,
        expectedGeneration: 0,
        kind: 'promote' as const,
        actor: 'key-1',
        reason: 'better',
      },
    });
    const freeze = (updateId: string, reason = 'holiday') => ({
      model: MODEL,
      update: 'freeze' as const,
      request: { actor: 'key-1', reason, requestKey: updateId },
      updateId,
      outcomeMs: 10_000,
    });
    const run = async (): Promise<void> => {
      const order = freeze('freeze-1');
      assert.deepEqual(await orchestrator.updateLifecycle(order), { outcome: { changed: true } });
      assert.deepEqual(await orchestrator.updateLifecycle(order), { outcome: { changed: true } });
      assert.deepEqual(frozen, [
        { model: MODEL, frozen: true, actor: 'key-1', reason: 'holiday', requestKey: 'freeze-1' },
      ]);
      const described = await temporal.client.workflow.getHandle(`lifecycle/${MODEL}`).describe();
      assert.deepEqual([described.type, described.status.name], ['lifecycle', 'RUNNING']);
      // What a validator refuses and what a handler refuses keep their code and sentence.
      await assert.rejects(orchestrator.updateLifecycle(freeze('freeze-2', ' ')), {
        code: 'lifecycle.asked',
        message: 'say who asks, and why',
      });
      await orchestrator.updateLifecycle(promotion('p-1'));
      await assert.rejects(orchestrator.updateLifecycle(promotion('p-2')), {
        code: 'promotion.conflict',
        message: `a promotion of ${MODEL} is under way`,
      });
    };
    try {
      const [first, second] = workers as [Worker, Worker];
      // The promotion waits for an activity that no worker has: it stays under way.
      await first.runUntil(() => second.runUntil(run));
      // Nobody polls now: the order is not answered, and the caller hears why.
      await assert.rejects(orchestrator.updateLifecycle(freeze('freeze-3')), {
        code: 'lifecycle.unavailable',
        kind: 'unavailable',
      });
      const watch = { model: MODEL, timeframe: '1d', every: 1, on: true } as const;
      const schedules = temporal.client.schedule;
      await ensureSchedules(schedules, { ...watch, calendar: calendarFor('nyse') });
      await orchestrator.endLifecycle(MODEL, 'the model was retired');
      const ended = await temporal.client.workflow.getHandle(`lifecycle/${MODEL}`).describe();
      assert.equal(ended.status.name, 'TERMINATED');
      await assert.rejects(schedules.getHandle(`settle/${MODEL}`).describe());
      await orchestrator.endLifecycle(MODEL, 'twice is once');
    } finally {
      await orchestrator.close();
      await temporal.teardown();
    }
  });

  it('says within two seconds that Temporal is away, whatever was asked', async () => {
    const orchestrator = openOrchestrator({ address: '127.0.0.1:9', namespace: 'default' });
    const away = { code: 'temporal.unavailable', kind: 'unavailable' };
    try {
      const request = { actor: 'key-1', reason: 'test', requestKey: 'x' };
      const order = { model: MODEL, update: 'freeze' as const, request, updateId: 'x' };
      await Promise.all([
        assert.rejects(orchestrator.updateLifecycle({ ...order, outcomeMs: 60_000 }), away),
        assert.rejects(orchestrator.startSettle({ model: MODEL }), away),
        assert.rejects(orchestrator.endLifecycle(MODEL, 'test'), away),
      ]);
    } finally {
      await orchestrator.close();
    }
  });
});
