import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Activities } from '../../activities/index.ts';
import { SIGNALS } from '../../workflows/lifecycle-messages.ts';
import {
  TASK_QUEUES,
  workflowIds,
  type ExperimentOutcome,
  type PromoteOutcome,
} from '../../workflows/messages.ts';
import { scriptedActivities, type Script } from '../support/scripted-activities.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';
import { untilTrue } from '../support/until.ts';
import { NONDETERMINISM, UNKNOWN_TYPE, openCrews, tasksOf, type Crews } from './version-crew.ts';

const EXPERIMENTS = 30;
const PROMOTIONS = 50;
const LIFECYCLES = 12;
const TICKS = 10;

const day = (n: number): string => new Date(Date.UTC(2024, 0, 1 + n)).toISOString();
const times = <T>(n: number, make: (index: number) => T): T[] =>
  Array.from({ length: n }, (_, i) => make(i));

/** A step that waits for the test, so that a run is under way while workers change. */
function gate(): { readonly open: () => void; readonly passed: Promise<void> } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { open: () => open(), passed };
}

describe('two releases of the workflows at once', { skip: temporalMissing }, () => {
  let env: TestWorkflowEnvironment;
  let crews: Crews;
  before(async () => {
    env = await startTemporal();
    crews = openCrews(env);
  });
  afterEach(() => crews.end());
  after(async () => {
    await env.teardown();
  });

  const start = (type: string, workflowId: string, input: object): Promise<WorkflowHandle> =>
    env.client.workflow.start(type, {
      ...{ taskQueue: TASK_QUEUES.orchestration, workflowId, args: [input] },
    });
  const promotion = (model: string): Promise<WorkflowHandle> =>
    start('promote', workflowIds.promote(model), {
      ...{ promotionId: model, model, version: 7, actor: 'ada', reason: 'better' },
      expectedGeneration: 0,
    });
  const experiment = (id: string): Promise<WorkflowHandle> =>
    start('experiment', workflowIds.experiment(id), { experimentId: id });
  /** Each experiment has a model of its own. */
  const unitsById: Partial<Activities> = {
    openExperiment: async ({ experimentId }) => ({
      ...{ experimentId, seeds: [2], family: 'ridge', baselines: ['naive'], specHash: 'spec' },
      units: [{ model: `model-of-${experimentId}`, instruments: ['^GSPC'] }],
    }),
  };

  it('experiments and promotions go back and forth between the former release and this one', async () => {
    const { activities, calls } = scriptedActivities({ override: unitsById });
    const stopActivities = await crews.activities(activities);
    const stop = await crews.workflows(['former', 'today']);
    const handles = await Promise.all([
      ...times(EXPERIMENTS, (n) => experiment(`A${n}`)),
      ...times(PROMOTIONS, (n) => promotion(`a-${n}`)),
    ]);
    const outcomes = await Promise.all(handles.map((handle) => handle.result()));
    await stop();
    await stopActivities();
    for (const outcome of outcomes.slice(0, EXPERIMENTS) as ExperimentOutcome[]) {
      assert.equal(outcome.status, 'completed');
      assert.equal(outcome.versions[0]?.promoted, true);
    }
    for (const outcome of outcomes.slice(EXPERIMENTS) as PromoteOutcome[]) {
      assert.deepEqual(outcome, { status: 'promoted', generation: 1 });
    }
    const switches = calls.filter(({ name }) => name === 'switchChampion').length;
    assert.equal(switches, EXPERIMENTS + PROMOTIONS, 'each is switched once');
    const children = times(EXPERIMENTS, (n) =>
      env.client.workflow.getHandle(workflowIds.promote(`model-of-A${n}`)),
    );
    const tasks = await Promise.all([...handles, ...children].map(tasksOf));
    assert.ok(tasks.length >= 100);
    assert.deepEqual(
      tasks.flatMap(({ failures }) => failures),
      [],
    );
    const both = tasks.filter(({ completedBy }) => completedBy.size === 2).length;
    assert.ok(
      both > tasks.length / 2,
      `${both} of ${tasks.length} runs had tasks on both releases`,
    );
  });

  it('runs that the former release began end on this one, whatever new its activities answer', async () => {
    const held = gate();
    const hold: Partial<Activities> = {
      fit: async (input) => {
        await held.passed;
        return scriptedActivities().activities.fit(input);
      },
      awaitReplicas: async () => {
        await held.passed;
        return { status: 'ready' };
      },
    };
    const former = scriptedActivities({ override: { ...unitsById, ...hold } });
    const stopFormer = await crews.workflows(['former', 'today']);
    const stopFormerActivities = await crews.activities(former.activities);
    const handles = await Promise.all([
      ...times(4, (n) => experiment(`B${n}`)),
      ...times(4, (n) => promotion(`b-${n}`)),
    ]);
    const began = (name: string): number =>
      former.calls.filter((call) => call.name === name).length;
    await untilTrue(() => began('fit') === 8 && began('awaitReplicas') === 4);
    // The documented order: workflow workers first, then those of activities.
    await stopFormer();
    const script: Script = { switched: { status: 'promoted', generation: 2, watched: true } };
    const today = scriptedActivities({ ...script, decision: { trial: 'shadow' } });
    const stopToday = await crews.workflows(['today']);
    held.open();
    await stopFormerActivities();
    const stopActivities = await crews.activities(today.activities);
    await Promise.all(handles.map((handle) => handle.result()));
    await stopToday();
    await stopActivities();
    const called = (name: string): number =>
      today.calls.filter((call) => call.name === name).length;
    assert.equal(called('proposeChallenger') > 0, true);
    const failures = (await Promise.all(handles.map(tasksOf))).flatMap((tasks) => tasks.failures);
    assert.deepEqual(failures, []);
  });

  it('a former worker refuses runs of types that it does not know, and a worker of today takes them', async () => {
    const { activities, calls } = scriptedActivities();
    const stopActivities = await crews.activities(activities);
    const stop = await crews.workflows(['former']);
    const handles = await Promise.all(
      times(4, (n) => start('settle', `settle/unknown-${n}`, { model: `c-${n}`, asOf: day(n) })),
    );
    await untilTrue(async () => {
      const tasks = await Promise.all(handles.map(tasksOf));
      return tasks.every(({ failures }) => failures.length > 0);
    });
    const stopToday = await crews.workflows(['today']);
    await stop();
    await Promise.all(handles.map((handle) => handle.result()));
    await stopToday();
    await stopActivities();
    assert.equal(calls.filter(({ name }) => name === 'announceTick').length, 4);
    for (const { failures } of await Promise.all(handles.map(tasksOf))) {
      assert.deepEqual(failures, [{ by: 'former', cause: UNKNOWN_TYPE }]);
    }
  });

  it('lifecycles and trials that this release began go back and forth between it and a next one', async () => {
    const { activities, calls } = scriptedActivities();
    const stopActivities = await crews.activities(activities);
    const stopToday = await crews.workflows(['today']);
    const models = times(LIFECYCLES, (n) => `d-${n}`);
    const lives = await Promise.all(
      models.map((model) => start('lifecycle', workflowIds.lifecycle(model), { model })),
    );
    await Promise.all(
      lives.map((life) =>
        life.signal(SIGNALS.challenger, {
          version: 7,
          experimentId: 'E',
          decisionId: life.workflowId,
        }),
      ),
    );
    const trials = models.map((model) => env.client.workflow.getHandle(workflowIds.trial(model)));
    const asked = (name: string, model: string): { asOf: string }[] =>
      calls
        .filter((call) => call.name === name)
        .map(({ input }) => input as { asOf: string; model: string })
        .filter((input) => input.model === model);
    await untilTrue(() => models.every((model) => asked('judgeTrial', model).length > 0));
    const stopNext = await crews.workflows(['next']);
    for (let n = 1; n <= TICKS; n++) {
      const tick = { asOf: day(n) };
      await Promise.all([...lives, ...trials].map((run) => run.signal(SIGNALS.tick, tick)));
      const looked = (name: string, model: string): boolean =>
        asked(name, model).some(({ asOf }) => asOf === day(n));
      await untilTrue(() =>
        models.every((model) => looked('considerRetrain', model) && looked('judgeTrial', model)),
      );
    }
    await stopToday();
    await Promise.all(
      lives.map((life) =>
        life.executeUpdate('freeze', { args: [{ actor: 'ada', reason: 'r', requestKey: 'k' }] }),
      ),
    );
    await stopNext();
    await stopActivities();
    const tasks = await Promise.all([...lives, ...trials].map(tasksOf));
    assert.deepEqual(
      tasks.flatMap(({ failures }) => failures),
      [],
    );
    assert.ok(tasks.every(({ completedBy }) => completedBy.size === 2));
    const watched = calls.filter(({ name }) => name === 'ensureWatch').length;
    assert.equal(watched, 0, 'runs that are open know nothing of the added step');
    await Promise.all([...lives, ...trials].map((run) => run.terminate()));
  });

  it('runs that a next release began wait out workers of this one, and none fails', async () => {
    const held = gate();
    const { activities, calls } = scriptedActivities({
      override: {
        ensureWatch: async () => {
          await held.passed;
          return { watched: true, schedules: {} };
        },
      },
    });
    const called = (name: string): number => calls.filter((call) => call.name === name).length;
    const stopActivities = await crews.activities(activities);
    const stopNext = await crews.workflows(['next']);
    const handles = await Promise.all(
      times(4, (n) => start('monitor', `monitor/next-${n}`, { model: `e-${n}`, asOf: day(n) })),
    );
    await untilTrue(() => called('ensureWatch') === 4);
    await stopNext();
    const stopToday = await crews.workflows(['today']);
    held.open();
    await untilTrue(async () => {
      const tasks = await Promise.all(handles.map(tasksOf));
      return tasks.every(({ failures }) => failures.length > 0);
    });
    const stopNextAgain = await crews.workflows(['next']);
    await stopToday();
    await Promise.all(handles.map((handle) => handle.result()));
    await stopNextAgain();
    await stopActivities();
    assert.equal(called('monitor'), 4);
    for (const { failures } of await Promise.all(handles.map(tasksOf))) {
      assert.deepEqual(failures, [{ by: 'today', cause: NONDETERMINISM }]);
    }
  });
});
