import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import type { History } from '@temporalio/common/lib/proto-utils.js';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Activities } from '../../activities/index.ts';
import { TASK_QUEUES, workflowIds } from '../../workflows/messages.ts';
import { scriptedActivities } from '../support/scripted-activities.ts';
import { untilTrue } from '../support/until.ts';
import { activityWorkers, orchestrationWorker, running } from '../support/workflow-workers.ts';
import { MODEL, ended, type Scene } from './scene.ts';

const doomed = fileURLToPath(new URL('./doomed-worker.ts', import.meta.url));

/** Plays a scene on a server, and gives the history of its (first) run. */
export async function perform(env: TestWorkflowEnvironment, scene: Scene): Promise<History> {
  await scene.prepare?.(env);
  const handle = await begin(env, scene);
  const { runId } = await handle.describe();
  if (scene.crashIn === 'workflows') await leaveAfterFirstTask(env, handle);
  else if (scene.crashIn) await killIn(env, scene.crashIn);
  await play(env, scene, handle);
  const history = await env.client.workflow.getHandle(handle.workflowId, runId).fetchHistory();
  await clear(env, scene, handle);
  return history;
}

async function play(
  env: TestWorkflowEnvironment,
  scene: Scene,
  handle: WorkflowHandle,
): Promise<void> {
  const { activities, calls } = scriptedActivities(scene.script);
  const start = async (): Promise<() => Promise<void>> =>
    running([
      await orchestrationWorker(env.nativeConnection),
      ...(await activityWorkers(env.nativeConnection, activities)),
    ]);
  let stop = await start();
  const changeWorkers = async (): Promise<void> => {
    await stop();
    stop = await start();
  };
  const called = (activity: keyof Activities, times = 1): Promise<void> =>
    untilTrue(
      () => calls.filter(({ name }) => name === activity).length >= times,
      `${scene.type} ${scene.name}: ${times} times ${activity}`,
    );
  try {
    await (scene.play ?? ended)({ env, handle, called, changeWorkers });
    await quiet(handle);
  } finally {
    await stop();
  }
}

/** Until no workflow task is under way: a history that ends in the middle of one proves less. */
async function quiet(handle: WorkflowHandle): Promise<void> {
  const events = async (): Promise<number> => (await handle.describe()).historyLength;
  let before = -1;
  for (let now = await events(); now !== before; now = await events()) {
    before = now;
    await new Promise((done) => setTimeout(done, 500));
  }
}

async function begin(env: TestWorkflowEnvironment, scene: Scene): Promise<WorkflowHandle> {
  const { type, name, input, scheduledAt } = scene;
  const action = {
    taskQueue: TASK_QUEUES.orchestration,
    workflowId: `${type}/${name}`,
    args: [input],
  };
  const { workflow, schedule } = env.client;
  if (scheduledAt === undefined) return workflow.start(type, action);
  const slots = await schedule.create({
    scheduleId: action.workflowId,
    spec: { intervals: [{ every: '1 day' }] },
    action: { type: 'startWorkflow', workflowType: type, ...action },
    state: { paused: true },
  });
  const at = new Date(scheduledAt);
  await slots.backfill({ start: new Date(at.getTime() - 1_000), end: at, overlap: 'ALLOW_ALL' });
  const id = `${action.workflowId}-${scheduledAt.replace('.000', '')}`;
  await untilTrue(() => exists(workflow.getHandle(id)), `the Schedule starts ${id}`);
  return workflow.getHandle(id);
}

const exists = (handle: WorkflowHandle): Promise<boolean> =>
  handle.describe().then(
    () => true,
    () => false,
  );

/** Only workflows run, and leave when the first activity waits for somebody. */
async function leaveAfterFirstTask(
  env: TestWorkflowEnvironment,
  handle: WorkflowHandle,
): Promise<void> {
  const stop = running([await orchestrationWorker(env.nativeConnection)]);
  await untilTrue(async () => ((await handle.fetchHistory()).events?.length ?? 0) >= 5);
  await stop();
}

async function killIn(env: TestWorkflowEnvironment, activity: keyof Activities): Promise<void> {
  const args = ['--import', 'tsx', doomed, env.address, activity];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** What the scene left running would be in the way of the next one. */
async function clear(
  { client }: TestWorkflowEnvironment,
  { type, endless }: Scene,
  { workflowId }: WorkflowHandle,
): Promise<void> {
  const children = [workflowIds.trial(MODEL), workflowIds.retrain(MODEL)];
  const ids = [...(endless ? [workflowId] : []), ...(type === 'lifecycle' ? children : [])];
  for (const id of ids)
    await client.workflow
      .getHandle(id)
      .terminate()
      .catch(() => undefined);
}
