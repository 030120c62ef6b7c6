import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { JudgeTrialResult } from '../../activities/contracts-lifecycle.ts';
import { SIGNALS, type TrialOutcome } from '../../workflows/lifecycle-messages.ts';
import { TASK_QUEUES, workflowIds } from '../../workflows/messages.ts';
import { scriptedActivities, type Script } from '../support/scripted-activities.ts';
import { startTimeSkipping, timeSkippingMissing } from '../support/time-skipping.ts';
import { untilTrue } from '../support/until.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const DAY_MS = 86_400_000;
const day = (n: number): string => new Date(Date.UTC(2024, 0, 1 + n)).toISOString();

type Calls = { name: string; input: unknown }[];
const inputsOf = <T>(calls: Calls, name: string): T[] =>
  calls.filter((call) => call.name === name).map((call) => call.input as T);

const accepted: JudgeTrialResult = {
  decision: 'accept',
  promotionId: 'decision-end',
  version: 7,
  expectedGeneration: 4,
  reasons: ['proved better'],
};

describe('workflow trial, in weeks of the server', { skip: timeSkippingMissing }, () => {
  let env: TestWorkflowEnvironment;
  let nextModel = 0;

  before(async () => {
    env = await startTimeSkipping();
  });
  after(async () => {
    await env.teardown();
  });

  async function onTrial(
    script: Script,
    run: (trial: { model: string; tick(asOf: string): Promise<void> }) => Promise<void>,
  ): Promise<{ outcome: TrialOutcome; calls: Calls }> {
    const { activities, calls } = scriptedActivities(script);
    const model = `tried-${nextModel++}`;
    return withWorkers(env.nativeConnection, activities, async () => {
      const handle = await env.client.workflow.start('trial', {
        taskQueue: TASK_QUEUES.orchestration,
        workflowId: workflowIds.trial(model),
        args: [{ model, trialId: 'trial-1', asOf: null }],
      });
      await run({ model, tick: (asOf) => handle.signal(SIGNALS.tick, { asOf }) });
      return { outcome: (await handle.result()) as TrialOutcome, calls };
    });
  }

  const standing = (approveWithinMs: number | null) => async () => ({
    status: 'running' as const,
    asOf: day(0),
    approveWithinMs,
  });

  it('looks with each tick of six weeks, whatever their wall time, and promotes what was proved', async () => {
    const looked: string[] = [];
    const { outcome, calls } = await onTrial(
      {
        override: {
          judgeTrial: async ({ asOf }) => {
            looked.push(asOf);
            return asOf === day(42) ? accepted : { decision: 'continue' };
          },
        },
      },
      async ({ tick }) => {
        for (let n = 1; n <= 42; n++) {
          await tick(day(n));
          await env.sleep(DAY_MS);
        }
      },
    );
    assert.equal(outcome.status, 'promoted');
    // The first tick may come before the first look, which is then one look.
    const afterFirst = looked.filter((asOf) => asOf > day(0));
    assert.deepEqual(
      afterFirst,
      Array.from({ length: 42 }, (_, n) => day(n + 1)),
    );
    const [intent] = inputsOf<{ promotionId: string; expectedGeneration: number }>(
      calls,
      'announcePromotion',
    );
    assert.equal(intent?.promotionId, 'decision-end');
    assert.equal(intent?.expectedGeneration, 4);
    const [closed] = inputsOf<{ status: string; asOf: string }>(calls, 'closeTrial');
    assert.deepEqual([closed?.status, closed?.asOf], ['promoted', day(42)]);
  });

  it('never goes back in market time: late and shuffled ticks are looked at as of the newest', async () => {
    const looked: string[] = [];
    await onTrial(
      {
        override: {
          judgeTrial: async ({ asOf }) => {
            looked.push(asOf);
            return asOf < day(4)
              ? { decision: 'continue' }
              : { decision: 'undecided', reasons: ['time'] };
          },
        },
      },
      async ({ tick }) => {
        for (const n of [3, 1, 2, 4]) {
          await tick(day(n));
          await untilTrue(() => looked.at(-1)! >= day(Math.min(3, n)));
        }
      },
    );
    assert.deepEqual(looked, [...looked].sort());
    assert.equal(looked.at(-1), day(4));
  });

  it('waits 14 days for a person, holds no worker meanwhile, and then ends undecided', async () => {
    const begin = await env.currentTimeMs();
    let closed = 0;
    const { outcome, calls } = await onTrial(
      {
        override: {
          trialStanding: standing(14 * DAY_MS),
          closeTrial: async () => {
            closed = await env.currentTimeMs();
          },
        },
      },
      async () => undefined,
    );
    assert.equal(outcome.status, 'undecided');
    assert.match(outcome.reasons[0]!, /nobody approved it in time/);
    const passed = (closed - begin) / DAY_MS;
    assert.ok(passed >= 14 && passed < 14.5, `${passed} days`);
    const looks = inputsOf(calls, 'judgeTrial').length;
    assert.equal(looks, 2, 'one look, nothing for 14 days, and a last look');
    assert.equal(inputsOf(calls, 'announcePromotion').length, 0);
  });

  it('hears a person at any time before the deadline', async () => {
    let judged = false;
    const { outcome } = await onTrial(
      {
        override: {
          trialStanding: standing(14 * DAY_MS),
          judgeTrial: async () => (judged ? accepted : { decision: 'continue' }),
        },
      },
      async ({ model }) => {
        await env.sleep(13 * DAY_MS);
        judged = true;
        await env.client.workflow.getHandle(workflowIds.trial(model)).signal(SIGNALS.judgement);
      },
    );
    assert.equal(outcome.status, 'promoted');
  });

  it('an accepted challenger that no replica can serve is rejected; one that lost a race is superseded', async () => {
    const script = (more: Script): Script => ({
      ...more,
      override: { judgeTrial: async () => accepted },
    });
    const failed = script({ replicas: { status: 'failed', reason: 'replica a: digest' } });
    const withdrawn = await onTrial(failed, async () => undefined);
    assert.equal(withdrawn.outcome.status, 'rejected');
    assert.match(withdrawn.outcome.reasons.join(' '), /not promoted: replica a: digest/);
    const lost = script({ intent: { status: 'conflict', reason: 'generation 5' } });
    const conflict = await onTrial(lost, async () => undefined);
    assert.equal(conflict.outcome.status, 'superseded');
  });

  it('a trial that ended in the rows while the workflow was lost ends without a look', async () => {
    const { outcome, calls } = await onTrial(
      {
        override: {
          trialStanding: async () => ({ status: 'ended', reasons: ['it ended promoted already'] }),
        },
      },
      async () => undefined,
    );
    assert.equal(outcome.status, 'superseded');
    assert.equal(inputsOf(calls, 'judgeTrial').length, 0);
    assert.equal(inputsOf(calls, 'closeTrial').length, 0);
  });
});
