import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { createActivities } from '../../activities/index.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { openOrchestrator, type Orchestrator } from '../../api/orchestrator.ts';
import { scheduleIds } from '../../infra/schedules.ts';
import { championHistory, currentChampion } from '../../registry/champions.ts';
import { listLifecycleEvents } from '../../registry/lifecycle-events.ts';
import { openTrial, trialById } from '../../registry/trials.ts';
import {
  DATASETS,
  eventually,
  memoryLog,
  NOW,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { experimentId, MODEL } from '../support/registry-facts.ts';
import { startTemporal, temporalMissing } from '../support/temporal.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const PATH = `/api/v1/ml-models/${MODEL}`;
const no = (): never => assert.fail('not part of this test');

/** Orders from HTTP to rows: real Temporal, real lifecycle, real activities, a live replica. */
describe('orders to a lifecycle that runs', { skip: temporalMissing }, () => {
  let fixture: ApiFixture;
  let temporal: TestWorkflowEnvironment;
  let orchestrator: Orchestrator;
  let replica: TestReplica;
  let workersEnded: Promise<void>;
  let endWorkers: () => void;
  before(async () => {
    fixture = await openApiFixture(3);
    temporal = await startTemporal();
    orchestrator = openOrchestrator({ address: temporal.address, namespace: 'default' });
    Object.assign(fixture.orchestrator, {
      ping: orchestrator.ping,
      updateLifecycle: orchestrator.updateLifecycle,
      endLifecycle: orchestrator.endLifecycle,
    });
    replica = await fixture.open('a', { notifications: true });
    const deps: ActivityDeps = {
      ...{ db: fixture.db, artifacts: fixture.artifacts, datasets: DATASETS, log: memoryLog() },
      ...{ sourceContext: no, trainer: { train: no }, sign: no, trustedKeys: [] },
      ...{ clock: () => NOW, codeVersion: 'test', events: { append: async () => undefined } },
      webhooks: { publicUrl: undefined, wanting: () => [], post: no },
    };
    const stop = new Promise<void>((resolve) => (endWorkers = resolve));
    workersEnded = withWorkers(temporal.nativeConnection, createActivities(deps), () => stop);
  });
  after(async () => {
    endWorkers();
    await workersEnded;
    await orchestrator.close();
    await temporal.teardown();
    await fixture.close();
  });

  const post = (word: string, body: object, key?: string) =>
    replica.call('POST', `${PATH}/${word}`, body, {
      headers: key === undefined ? {} : { 'idempotency-key': key },
    });
  const serves = (version: number): Promise<void> =>
    eventually(`version ${version} serves`, async () => {
      return (await currentChampion(fixture.db, MODEL))?.version === version;
    });

  it('promotes; of two at once one wins, the other hears 409; the model is watched then', async () => {
    const answers = await Promise.all([
      post('promote', { version: 1 }),
      post('promote', { version: 2 }),
    ]);
    const statuses = answers.map(({ status }) => status);
    assert.ok(statuses.includes(202) && statuses.includes(409), statuses.join());
    const won = answers.find(({ status }) => status === 202)!;
    await serves(Number(won.body['version']));
    const lost = answers.find(({ status }) => status === 409)!;
    assert.equal(lost.body['code'], 'promotion.conflict');
    await eventually('its schedules stand', async () => {
      const ids: string[] = [];
      for await (const { scheduleId } of temporal.client.schedule.list()) ids.push(scheduleId);
      return isDeepStrictEqual(ids.sort(), [...scheduleIds(MODEL)].sort());
    });
    assert.equal((await championHistory(fixture.db, MODEL, 10)).length, 1);
    // It ends a moment after its schedules stand, and the next promotion needs its place.
    await eventually('the promotion has ended', async () => {
      const { status } = await temporal.client.workflow.getHandle(`promote/${MODEL}`).describe();
      return status.name !== 'RUNNING';
    });
  });

  it('a model that an experiment promoted has its lifecycle too', async () => {
    const handle = temporal.client.workflow.getHandle(`lifecycle/${MODEL}`);
    await handle.terminate('lost');
    const { version, generation } = (await currentChampion(fixture.db, MODEL))!;
    await temporal.client.workflow.execute('promote', {
      workflowId: `promote/${MODEL}`,
      taskQueue: 'ratchet-orchestration',
      args: [
        {
          ...{ promotionId: 'gate-1', model: MODEL, version: version === 1 ? 2 : 1 },
          ...{ actor: 'policy', reason: 'better', expectedGeneration: generation },
        },
      ],
    });
    assert.equal((await handle.describe()).status.name, 'RUNNING');
  });

  it('rolls back to the former champion right after a promotion, once a key', async () => {
    const former = (await currentChampion(fixture.db, MODEL))!.version;
    assert.equal((await post('promote', { version: 3 })).status, 202);
    await serves(3);
    const order = { reason: 'it lost money' };
    const first = await post('rollback', order, 'rollback-key');
    assert.equal(first.status, 202, JSON.stringify(first.body));
    assert.deepEqual((await post('rollback', order, 'rollback-key')).body, first.body);
    await serves(former);
    const [newest] = await championHistory(fixture.db, MODEL, 10);
    assert.deepEqual([newest?.generation, newest?.reason], [4, 'it lost money']);
    const [event] = await listLifecycleEvents(fixture.db, { model: MODEL, limit: 1 });
    assert.deepEqual([event?.kind, event?.version], ['champion.rolled-back', former]);
  });

  it('freezes and unfreezes, and the rows say so at once', async () => {
    const frozen = await post('freeze', { reason: 'year end' });
    assert.deepEqual([frozen.status, frozen.body['done']], [202, true]);
    const { body } = await replica.call('GET', `${PATH}/explain`);
    assert.deepEqual([body['state'], body['frozen']], ['frozen', { reason: 'year end' }]);
    assert.equal((await post('unfreeze', {})).body['done'], true);
    assert.equal((await replica.call('GET', `${PATH}/explain`)).body['frozen'], null);
  });

  it('hands on what only the rows can refuse, and ends a trial that a person rejects', async () => {
    const { version, generation } = (await currentChampion(fixture.db, MODEL))!;
    await openTrial(fixture.db, {
      ...{ id: 'trial-1', model: MODEL, version: 3, championVersion: version, generation },
      ...{ kind: 'shadow', policy: 'beats-champion', mode: 'prove', share: 0 },
      settings: { policy: 'beats-champion', trial: { kind: 'shadow' } },
      ...{ startedAsOf: new Date(NOW), gateDecisionId: 'gate', experimentId: experimentId(3) },
      words: 'A shadow trial began',
    });
    await temporal.client.workflow.start('trial', {
      workflowId: `trial/${MODEL}`,
      taskQueue: 'ratchet-orchestration',
      args: [{ model: MODEL, trialId: 'trial-1', asOf: null }],
    });
    const approved = await post('approve', {});
    assert.deepEqual([approved.status, approved.body['code']], [409, 'trial.not-manual']);
    const rejected = await post('reject', { reason: 'odd forecasts' });
    assert.equal(rejected.status, 202, JSON.stringify(rejected.body));
    assert.deepEqual(rejected.body['trial'], { id: 'trial-1', version: 3 });
    await eventually('the trial has ended', async () => {
      return (await trialById(fixture.db, 'trial-1'))?.status === 'rejected';
    });
    const { body } = await replica.call('GET', `${PATH}/trials/trial-1`);
    assert.match(String(body['reasons']), /Rejected by .*: odd forecasts/);
  });

  it('ends a trial with the champion that it began with, before any settlement', async () => {
    const { version, generation } = (await currentChampion(fixture.db, MODEL))!;
    const other = [1, 2, 3].find((number) => number !== version)!;
    await openTrial(fixture.db, {
      ...{ id: 'trial-2', model: MODEL, version: other, championVersion: version, generation },
      ...{ kind: 'manual', policy: 'beats-champion', mode: 'prove', share: 0 },
      settings: { policy: 'beats-champion', trial: { kind: 'manual' } },
      ...{
        startedAsOf: new Date(NOW),
        gateDecisionId: 'gate-2',
        experimentId: experimentId(other),
      },
      words: 'A manual trial began',
    });
    assert.equal((await post('promote', { version: other })).status, 202);
    await serves(other);
    await eventually('the trial is superseded', async () => {
      return (await trialById(fixture.db, 'trial-2'))?.status === 'superseded';
    });
  });

  it('retires the model with all that runs for it', async () => {
    const gone = await replica.call('DELETE', `${PATH}?force=true`);
    assert.equal(gone.status, 204, JSON.stringify(gone.body));
    const handle = temporal.client.workflow.getHandle(`lifecycle/${MODEL}`);
    assert.equal((await handle.describe()).status.name, 'TERMINATED');
    await assert.rejects(temporal.client.schedule.getHandle(`settle/${MODEL}`).describe());
  });
});
