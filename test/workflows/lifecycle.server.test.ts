import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { ConsiderRetrainInput } from '../../activities/contracts-lifecycle.ts';
import { LIFECYCLE, SIGNALS, UPDATES } from '../../workflows/lifecycle-messages.ts';
import { TASK_QUEUES, workflowIds } from '../../workflows/messages.ts';
import { permanent, scriptedActivities, type Script } from '../support/scripted-activities.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';
import { untilTrue } from '../support/until.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const day = (n: number): string => new Date(Date.UTC(2024, 0, 1 + n)).toISOString();

interface Life {
  readonly model: string;
  readonly handle: WorkflowHandle;
  readonly calls: readonly { name: string; input: unknown }[];
  inputsOf<T>(name: string): T[];
}

describe('workflow lifecycle', { skip: temporalMissing }, () => {
  let env: TestWorkflowEnvironment;
  let nextModel = 0;

  before(async () => {
    env = await startTemporal();
  });
  after(async () => {
    await env.teardown();
  });

  async function living(script: Script, run: (life: Life) => Promise<void>): Promise<void> {
    const { activities, calls } = scriptedActivities(script);
    const model = `model-${nextModel++}`;
    await withWorkers(env.nativeConnection, activities, async () => {
      const handle = await env.client.workflow.start(LIFECYCLE, {
        taskQueue: TASK_QUEUES.orchestration,
        workflowId: workflowIds.lifecycle(model),
        args: [{ model }],
      });
      const inputsOf = <T>(name: string): T[] =>
        calls.filter((call) => call.name === name).map((call) => call.input as T);
      try {
        await run({ model, handle, calls, inputsOf });
      } finally {
        await handle.terminate('the test is over');
      }
    });
  }

  const drift = (n: number) => ({ asOf: day(n), reasons: ['loss'], reportId: `report-${n}` });

  it('a drift signal becomes one retrain, and the experiment of it runs to its end', async () => {
    let started = false;
    const script: Script = {
      override: {
        considerRetrain: async ({ reasons }) => {
          if (started || reasons.length === 0) return { action: 'wait', keep: false, why: [] };
          started = true;
          return { action: 'retrain', experimentId: 'EXPERIMENT', retrainId: 'retrain-1' };
        },
      },
    };
    await living(script, async ({ handle, inputsOf, model }) => {
      await handle.signal(SIGNALS.drift, drift(3));
      await untilTrue(() => inputsOf('finishRetrain').length === 1);
      assert.deepEqual(inputsOf('finishRetrain'), [
        {
          model,
          retrainId: 'retrain-1',
          status: 'completed',
          outcome: 'version 7: Better than naive.',
        },
      ]);
      await untilTrue(() => inputsOf('announceTick').length === 1);
      assert.deepEqual(inputsOf('announceTick'), [{ model, asOf: day(3) }]);
      const [first] = inputsOf<ConsiderRetrainInput>('considerRetrain');
      assert.deepEqual(first, { model, asOf: day(3), reasons: ['loss'], reportId: 'report-3' });
    });
  });

  it('what cannot be done now stays pending, is coalesced, and is done with a later tick', async () => {
    const seen: (readonly string[])[] = [];
    const script: Script = {
      override: {
        considerRetrain: async ({ asOf, reasons }) => {
          seen.push(reasons);
          return asOf < day(5)
            ? { action: 'wait', keep: true, why: ['a challenger is on trial'] }
            : { action: 'wait', keep: false, why: [] };
        },
      },
    };
    await living(script, async ({ handle }) => {
      await handle.signal(SIGNALS.drift, drift(1));
      await untilTrue(() => seen.length === 1);
      await handle.signal(SIGNALS.drift, { ...drift(2), reasons: ['input-twice', 'loss'] });
      await untilTrue(() => seen.length === 2);
      await handle.signal(SIGNALS.tick, { asOf: day(5) });
      await untilTrue(() => seen.length === 3);
      await handle.signal(SIGNALS.tick, { asOf: day(6) });
      await untilTrue(() => seen.length === 4);
      assert.deepEqual(seen, [['loss'], ['loss', 'input-twice'], ['loss', 'input-twice'], []]);
    });
  });

  it('a retrain that fails is on record as failed, told, and holds up nothing', async () => {
    let asked = 0;
    const script: Script = {
      validation: ['Too many bars are missing.'],
      override: {
        considerRetrain: async ({ reasons }) =>
          reasons.length > 0 && asked++ === 0
            ? { action: 'retrain', experimentId: 'FAILING', retrainId: 'retrain-2' }
            : { action: 'wait', keep: false, why: [] },
      },
    };
    await living(script, async ({ handle, inputsOf }) => {
      await handle.signal(SIGNALS.drift, drift(1));
      await untilTrue(() => inputsOf('finishRetrain').length === 1);
      const [end] = inputsOf<{ status: string; outcome: string }>('finishRetrain');
      assert.equal(end?.status, 'failed');
      assert.match(end?.outcome ?? '', /Too many bars are missing/);
      await untilTrue(() => inputsOf('dispatchAlerts').length === 1);
      await handle.signal(SIGNALS.tick, { asOf: day(2) });
      await untilTrue(() => inputsOf('considerRetrain').length >= 2);
    });
  });

  it('a challenger goes on trial; one that comes meanwhile waits, and only the newest', async () => {
    const opened: number[] = [];
    let busy = false;
    const script: Script = {
      override: {
        openTrial: async ({ version }) => {
          opened.push(version);
          if (busy) return { status: 'busy', reason: 'another trial of the model runs' };
          busy = true;
          return { status: 'running', trialId: `trial-${version}` };
        },
      },
    };
    const challenger = (version: number) => ({
      version,
      experimentId: 'E',
      decisionId: `d-${version}`,
    });
    await living(script, async ({ handle, model }) => {
      await handle.signal(SIGNALS.challenger, challenger(7));
      await untilTrue(() => opened.length === 1);
      await untilTrue(() => isRunning(env, workflowIds.trial(model)));
      await handle.signal(SIGNALS.challenger, challenger(8));
      await untilTrue(() => opened.length === 2);
      await handle.signal(SIGNALS.challenger, challenger(9));
      await untilTrue(() => opened.length === 3);
      await env.client.workflow.getHandle(workflowIds.trial(model)).terminate();
      busy = false;
      await handle.signal(SIGNALS.tick, { asOf: day(1) });
      await untilTrue(() => opened.length === 4);
      assert.deepEqual(opened, [7, 8, 9, 9]);
    });
  });

  it('people promote, roll back, freeze and decide by Updates with who and why', async () => {
    await living({}, async ({ handle, inputsOf, model }) => {
      const by = { actor: 'key-1', reason: 'because' };
      const request = {
        ...by,
        promotionId: '01P',
        version: 3,
        expectedGeneration: 2,
        kind: 'rollback',
      };
      const answer = await handle.executeUpdate(UPDATES.rollback, {
        args: [request],
        updateId: 'u1',
      });
      assert.deepEqual(answer, { promotionId: '01P' });
      await untilTrue(() => inputsOf('switchChampion').length === 1);
      assert.deepEqual(inputsOf('announcePromotion'), [{ ...request, model }]);
      // The same order again: the same answer, and nothing happens twice.
      assert.deepEqual(
        await handle.executeUpdate(UPDATES.rollback, { args: [request], updateId: 'u1' }),
        answer,
      );
      assert.equal(inputsOf('announcePromotion').length, 1);
      const freeze = { ...by, requestKey: 'u2' };
      await handle.executeUpdate(UPDATES.freeze, { args: [freeze], updateId: 'u2' });
      assert.deepEqual(inputsOf('setFrozen'), [{ model, frozen: true, ...freeze }]);
      const nobody = { actor: 'key-1', reason: ' ', requestKey: 'u3' };
      await assert.rejects(
        handle.executeUpdate(UPDATES.unfreeze, { args: [nobody] }),
        (error) =>
          error instanceof WorkflowUpdateFailedError &&
          /who asks, and why/.test(String(error.cause)),
      );
    });
  });

  it('two promotions at once: the loser is refused', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const script: Script = {
      override: {
        awaitReplicas: async () => {
          await held;
          return { status: 'ready' };
        },
      },
    };
    await living(script, async ({ handle }) => {
      const order = (promotionId: string) =>
        handle.executeUpdate(UPDATES.promote, {
          args: [
            {
              actor: 'k',
              reason: 'r',
              promotionId,
              version: 3,
              expectedGeneration: 2,
              kind: 'promote',
            },
          ],
        });
      await order('A');
      await assert.rejects(order('B'), (error) => {
        assert.ok(error instanceof WorkflowUpdateFailedError);
        assert.match(String(error.cause), /a promotion of model-\d+ is under way/);
        return true;
      });
      release();
    });
  });

  it('an approval without a trial is refused in words, and the lifecycle lives on', async () => {
    const script: Script = {
      override: {
        recordJudgement: async () => {
          throw permanent('trial.none', 'there is no running trial to decide on');
        },
      },
    };
    await living(script, async ({ handle, inputsOf }) => {
      await assert.rejects(
        handle.executeUpdate(UPDATES.approve, { args: [{ actor: 'k', reason: 'r' }] }),
        (error) => error instanceof WorkflowUpdateFailedError,
      );
      await handle.signal(SIGNALS.tick, { asOf: day(1) });
      await untilTrue(() => inputsOf('considerRetrain').length === 1);
    });
  });
});

async function isRunning(env: TestWorkflowEnvironment, id: string): Promise<boolean> {
  try {
    const { status } = await env.client.workflow.getHandle(id).describe();
    return status.name === 'RUNNING';
  } catch {
    return false;
  }
}
