import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { watchOf } from '../../activities/schedules.ts';
import { findLifecycleTroubles, repairLifecycles } from '../../infra/stack/lifecycle-checks.ts';
import type { LifecycleParts } from '../../infra/stack/lifecycle-trouble.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import { endExperiment } from '../../registry/experiments.ts';
import { listLifecycleEvents } from '../../registry/lifecycle-events.ts';
import { startRetrain, retrainById } from '../../registry/retrains.ts';
import { retireModel } from '../../registry/retirement.ts';
import { openTrial, trialById } from '../../registry/trials.ts';
import { TASK_QUEUES } from '../../workflows/messages.ts';
import { DATASETS, eventually } from '../support/api-fixture.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import {
  addExperiment,
  addModel,
  addVersion,
  crown,
  experimentId,
  MODEL,
  testSpec,
} from '../support/registry-facts.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';

const AS_OF = new Date('2024-05-01T21:30:00Z');
const asker = { actor: 'key-1', requestId: 'request-1' };

/** Rows and Temporal's state side by side; no worker runs, so that only doctor changes either. */
describe('doctor on lifecycles', { skip: temporalMissing }, () => {
  let database: TestDatabase;
  let temporal: TestWorkflowEnvironment;
  let parts: LifecycleParts;
  before(async () => {
    database = await openTestDatabase();
    temporal = await startTemporal();
    const { db } = database;
    const deps = {
      db,
      artifacts: openDirectoryStore('unused'),
      datasets: DATASETS,
      sourceContext: () => assert.fail('no source is opened'),
      clock: () => AS_OF.getTime(),
    };
    const client = temporal.client;
    parts = { db, client, watchOf: (model) => watchOf(deps, model), settlingMs: 0 };
    await addModel(db);
    await addExperiment(db, 1);
    await crown(db, await addVersion(db, 1), 1);
  });
  after(async () => {
    await temporal.teardown();
    await database.close();
  });

  const told = async (): Promise<string[]> =>
    (await findLifecycleTroubles(parts)).map(({ detail }) => detail);
  const status = async (id: string): Promise<string> =>
    (await temporal.client.workflow.getHandle(id).describe()).status.name;
  /** Mends, and sees that a second time there is nothing left to mend. */
  const repair = async (): Promise<readonly string[]> => {
    const { done, left } = await repairLifecycles(parts);
    assert.deepEqual(left, []);
    assert.deepEqual(await repairLifecycles(parts), { done: [], left: [] });
    return done;
  };

  it('tells what happened a moment ago only once it had time to settle', async () => {
    const { settlingMs: _none, ...patient } = parts;
    assert.deepEqual(await findLifecycleTroubles(patient), []);
  });

  it('starts the lifecycle and the schedules of a served model', async () => {
    assert.deepEqual(await told(), [
      `${MODEL} is served, but its lifecycle does not run`,
      `the schedule settle/${MODEL} is missing`,
      `the schedule monitor/${MODEL} is missing`,
      `the schedule parity/${MODEL} is missing`,
    ]);
    assert.deepEqual(await repair(), [
      `started the lifecycle of ${MODEL}`,
      `mended the schedules of ${MODEL}`,
    ]);
    assert.equal(await status(`lifecycle/${MODEL}`), 'RUNNING');
  });

  it('gives a lost lifecycle the market time to look at', async () => {
    const handle = temporal.client.workflow.getHandle(`lifecycle/${MODEL}`);
    await handle.terminate();
    await database.db.updateTable('model_state').set({ settled_as_of: AS_OF }).execute();
    assert.deepEqual(await repair(), [`started the lifecycle of ${MODEL}`]);
    const { events } = await handle.fetchHistory();
    const signals = events?.filter((event) => event.workflowExecutionSignaledEventAttributes);
    assert.equal(signals?.length, 1, 'one tick');
  });

  it('goes on with a running trial whose workflow is lost', async () => {
    const { db } = database;
    await addExperiment(db, 2);
    const version = await addVersion(db, 2);
    await openTrial(db, {
      ...{ id: 'trial-1', model: MODEL, version, championVersion: 1, generation: 1 },
      ...{ kind: 'shadow', policy: 'beats-champion', mode: 'prove', settings: {}, share: 0 },
      ...{ startedAsOf: AS_OF, gateDecisionId: 'd', experimentId: experimentId(2), words: 'began' },
    });
    assert.deepEqual(await told(), [
      `the trial of version 2 of ${MODEL} runs in the rows, but its workflow does not`,
    ]);
    await repair();
    assert.equal(await status(`trial/${MODEL}`), 'RUNNING');
    assert.equal((await trialById(db, 'trial-1'))?.status, 'running');
  });

  it('goes on with a lost retrain, and ends the row of one whose experiment ended', async () => {
    const { db } = database;
    const id = experimentId(3);
    const spec = testSpec();
    const experiment = {
      id,
      name: 'retrain',
      model: MODEL,
      spec,
      specHash: 'x',
      actor: 'lifecycle',
    };
    await startRetrain(db, {
      ...{
        id: 'retrain-1',
        model: MODEL,
        asOf: AS_OF,
        reasons: ['loss'],
        reportId: null,
        cooldownUntil: AS_OF,
        expectedGeneration: 1,
      },
      ...{ experiment: { ...experiment, workflowId: `experiment/${id}` }, words: 'began' },
    });
    assert.deepEqual(await told(), [
      `the retrain of ${MODEL} (experiment ${id}) runs in the rows, but its workflow does not`,
    ]);
    await repair();
    assert.equal(await status(`retrain/${MODEL}`), 'RUNNING');
    await endExperiment(db, id, { status: 'failed', message: 'no bars' });
    assert.deepEqual(await told(), [
      `the retrain of ${MODEL} (experiment ${id}) runs in the rows, but its experiment ended failed`,
    ]);
    await repair();
    const { status: ended, outcome } = (await retrainById(db, 'retrain-1'))!;
    assert.deepEqual([ended, outcome], ['failed', 'no bars (found by doctor)']);
  });

  it('mends a schedule that differs, names a paused one, deletes one too many', async () => {
    const { schedule } = temporal.client;
    const monitor = schedule.getHandle(`monitor/${MODEL}`);
    await monitor.update((current) => ({
      ...current,
      spec: { intervals: [{ every: '1 day' }] },
      policies: { overlap: 'ALLOW_ALL' },
    }));
    const { action } = await monitor.describe();
    await schedule.create({
      scheduleId: 'settle/gone',
      spec: { intervals: [{ every: '1 day' }] },
      action: { ...action, type: 'startWorkflow' },
    });
    await eventually('both are told', async () => (await told()).length === 2);
    assert.deepEqual(await told(), [
      `the schedule monitor/${MODEL} is not what the champion's spec asks for`,
      'settle/gone: a schedule of a model that is not watched',
    ]);
    await repair();
    const settle = schedule.getHandle(`settle/${MODEL}`);
    await settle.pause('vendor is down');
    const [paused, ...others] = await findLifecycleTroubles(parts);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [paused?.verdict, paused?.detail, paused?.repair],
      ['warning', `the schedule settle/${MODEL} is paused: vendor is down`, undefined],
    );
    await settle.unpause();
  });

  it('ends all that runs for a model that is no more', async () => {
    const { db } = database;
    await temporal.client.workflow.start('lifecycle', {
      workflowId: 'lifecycle/never-was',
      taskQueue: TASK_QUEUES.orchestration,
      args: [{ model: 'never-was' }],
    });
    await retireModel(db, MODEL, { force: true, ...asker });
    const ids = [`lifecycle/${MODEL}`, `trial/${MODEL}`, `retrain/${MODEL}`, 'lifecycle/never-was'];
    await eventually('all are told', async () => (await told()).length === 5);
    await repair();
    for (const id of ids) assert.equal(await status(id), 'TERMINATED', id);
    assert.equal((await trialById(db, 'trial-1'))?.status, 'superseded');
    const kinds = (await listLifecycleEvents(db, { model: MODEL, limit: 2 })).map((e) => e.kind);
    assert.deepEqual(kinds, ['model.retired', 'trial.ended']);
  });
});
