import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Activities } from '../../activities/index.ts';
import type { CompleteSearchResult } from '../../activities/contracts-search.ts';
import { TASK_QUEUES, workflowIds, type SweepInput } from '../../workflows/messages.ts';
import { untilCancelled } from '../replay/scenes/experiment.ts';
import { randomFor } from '../../core/models/random.ts';
import { permanent, scriptedActivities, type Script } from '../support/scripted-activities.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';
import { untilTrue } from '../support/until.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const prepared = { uri: 'cas/00', sha256: '00', bytes: 1 };
const unit = { model: 'index-gspc', instruments: ['^GSPC'] };

describe('workflow sweep', { skip: temporalMissing }, () => {
  let env: TestWorkflowEnvironment;
  let nextId = 0;

  before(async () => {
    // So that a search of a few dozen trials goes on in new runs.
    env = await startTemporal(['limit.historyCount.suggestContinueAsNew=120']);
  });
  after(() => env.teardown());

  async function sweeping<T>(
    plan: Partial<SweepInput>,
    script: Script,
    run: (at: {
      readonly calls: { name: string; input: unknown }[];
      readonly result: () => Promise<CompleteSearchResult>;
      readonly cancel: () => Promise<unknown>;
      readonly id: string;
    }) => Promise<T>,
  ): Promise<T> {
    const { activities, calls } = scriptedActivities(script);
    const experimentId = `E${nextId++}`;
    const input: SweepInput = {
      ...{ experimentId, unit, prepared, trials: 9, parallel: 3, rungs: 2, next: 0 },
      ...plan,
    };
    return withWorkers(env.nativeConnection, activities, async () => {
      const id = workflowIds.sweep(experimentId, unit.model);
      const handle = await env.client.workflow.start('sweep', {
        taskQueue: TASK_QUEUES.orchestration,
        workflowId: id,
        args: [input],
      });
      const result = (): Promise<CompleteSearchResult> => handle.result();
      return run({ calls, result, cancel: () => handle.cancel(), id });
    });
  }

  /** Fits of random length, and what of them overlapped. */
  function watchedFits(rungsOf: (trial: number) => number) {
    const running = new Set<number>();
    const ended = new Set<number>();
    const begun: { trial: number; ended: ReadonlySet<number>; beside: number }[] = [];
    const uniform = randomFor(4);
    const suggestTrial: Activities['suggestTrial'] = async ({ trial }) => {
      begun.push({ trial, ended: new Set(ended), beside: running.size });
      running.add(trial);
      return { stop: false };
    };
    const fitTrial: Activities['fitTrial'] = async ({ trial, rung }) => {
      await sleep(uniform() * 60);
      const goesOn = rung + 1 < rungsOf(trial);
      if (!goesOn) {
        running.delete(trial);
        ended.add(trial);
      }
      return { goesOn };
    };
    return { begun, override: { suggestTrial, fitTrial } };
  }

  it('begins trial k once all trials up to k - parallel have ended, and no later', async () => {
    const { begun, override } = watchedFits((trial) => 1 + (trial % 2));
    const plan = { trials: 12, parallel: 3 };
    await sweeping(plan, { override }, async ({ calls, result }) => {
      assert.deepEqual((await result()).hyperparameters, { units: [8] });
      assert.deepEqual(
        begun.map(({ trial }) => trial),
        Array.from({ length: plan.trials }, (_, k) => k),
      );
      for (const { trial, ended, beside } of begun) {
        assert.ok(beside < plan.parallel, `${beside} beside trial ${trial}`);
        for (let k = 0; k <= trial - plan.parallel; k++) assert.ok(ended.has(k), `${k}, ${trial}`);
      }
      assert.ok(
        begun.some(({ beside }) => beside === plan.parallel - 1),
        'all places are used',
      );
      const fits = calls.filter(({ name }) => name === 'fitTrial').length;
      assert.equal(fits, 6 * 1 + 6 * 2);
      assert.equal(calls.filter(({ name }) => name === 'openSearch').length, 1);
    });
  });

  it('goes on in a new run where the history becomes long, each trial once', async () => {
    const { begun, override } = watchedFits(() => 1);
    await sweeping({ trials: 40, parallel: 4 }, { override }, async ({ result, calls, id }) => {
      await result();
      assert.equal(begun.length, 40);
      assert.equal(new Set(begun.map(({ trial }) => trial)).size, 40);
      assert.equal(calls.filter(({ name }) => name === 'openSearch').length, 1);
      const last = await env.client.workflow.getHandle(id).fetchHistory();
      const started = last.events?.[0]?.workflowExecutionStartedEventAttributes;
      assert.ok(started?.continuedExecutionRunId, 'it was continued as new');
    });
  });

  it('ends where there is nothing more to try', async () => {
    const override = {
      suggestTrial: async ({ trial }: { trial: number }) => ({ stop: trial >= 4 }),
    };
    await sweeping({}, { override }, async ({ calls, result }) => {
      await result();
      const tried = calls.filter(({ name }) => name === 'fitTrial');
      assert.equal(new Set(tried.map(({ input }) => (input as { trial: number }).trial)).size, 4);
    });
  });

  it('records a trial that cannot be fitted, and goes on', async () => {
    const fitTrial: Activities['fitTrial'] = async ({ trial }) => {
      if (trial === 2) throw permanent('training.nan-loss', 'the loss became NaN');
      return { goesOn: false };
    };
    await sweeping({}, { override: { fitTrial } }, async ({ calls, result }) => {
      assert.equal((await result()).bestTrial, 3);
      const failed = calls.filter(({ name }) => name === 'failTrial').map(({ input }) => input);
      assert.deepEqual(failed, [
        {
          experimentId: (failed[0] as { experimentId: string }).experimentId,
          model: unit.model,
          trial: 2,
          reason: 'the loss became NaN',
        },
      ]);
      assert.equal(calls.filter(({ name }) => name === 'fitTrial').length, 9);
    });
  });

  it('fails with the reason where no trial ended well', async () => {
    const completeSearch = async (): Promise<never> => {
      throw permanent('search.no-trial', 'none of 9 trials was trained to its end');
    };
    await sweeping({}, { override: { completeSearch } }, async ({ calls, result }) => {
      await assert.rejects(result(), WorkflowFailedError);
      const end = calls.find(({ name }) => name === 'abandonSearch')?.input as { state: string };
      assert.equal(end.state, 'failed');
    });
  });

  it('cancelled, it ends its fits, says so, and begins no other trial', async () => {
    const script = { override: { fitTrial: untilCancelled } };
    await sweeping({ parallel: 2 }, script, async ({ calls, result, cancel }) => {
      const fits = (): number => calls.filter(({ name }) => name === 'fitTrial').length;
      await untilTrue(() => fits() === 2, 'two trials to run');
      await cancel();
      await assert.rejects(result(), (error) => {
        assert.ok(error instanceof WorkflowFailedError);
        return error.cause instanceof CancelledFailure;
      });
      assert.equal(fits(), 2);
      const end = calls.find(({ name }) => name === 'abandonSearch')?.input as { state: string };
      assert.equal(end.state, 'cancelled');
      assert.equal(calls.filter(({ name }) => name === 'failTrial').length, 0);
    });
  });
});
