/**
 * Records the histories that test/replay/replay.server.test.ts replays: node --import tsx test/replay/record.ts
 * Run it after a deliberate change of a workflow that no old run can meet; otherwise patch instead.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities/index.ts';
import { TASK_QUEUES } from '../../workflows/messages.ts';
import { failingFirst, scriptedActivities } from '../support/scripted-activities.ts';
import { startTemporal } from '../support/temporal.ts';
import { withWorkers } from '../support/workflow-workers.ts';

const folder = new URL('./histories/', import.meta.url);
const doomed = fileURLToPath(new URL('./doomed-worker.ts', import.meta.url));

const inputs = {
  experiment: { experimentId: 'E1' },
  promote: {
    promotionId: 'P1',
    model: 'index-gspc',
    version: 7,
    actor: 'ada',
    reason: 'proved better',
    expectedGeneration: 0,
  },
} as const;
type Type = keyof typeof inputs;

/** The activity in which a run of each type is interrupted. */
const longest = { experiment: 'fit', promote: 'awaitReplicas' } as const;

async function record(
  env: TestWorkflowEnvironment,
  type: Type,
  name: string,
  run: (workflowId: string) => Promise<void>,
): Promise<void> {
  const workflowId = `${type}/${name}`;
  await env.client.workflow.start(type, {
    taskQueue: TASK_QUEUES.orchestration,
    workflowId,
    args: [inputs[type]],
  });
  await run(workflowId);
  const history = await env.client.workflow.getHandle(workflowId).fetchHistory();
  const file = new URL(`${type}-${name}.json`, folder);
  await writeFile(file, `${JSON.stringify(JSON.parse(historyToJSON(history), withoutPlaces))}\n`);
  process.stdout.write(`${type} ${name}: ${history.events?.length ?? 0} events\n`);
}

/** Stack traces and identities name the recording machine; replay reads neither. */
const withoutPlaces = (key: string, value: unknown): unknown =>
  key === 'stackTrace' || key === 'identity' ? '' : value;

async function recordType(env: TestWorkflowEnvironment, type: Type): Promise<void> {
  const settled = (id: string) => () =>
    env.client.workflow
      .getHandle(id)
      .result()
      .then(
        () => undefined,
        () => undefined,
      );
  const complete = (override: Partial<Activities>) => (id: string) =>
    withWorkers(env.nativeConnection, scriptedActivities({ override }).activities, settled(id));

  await record(env, type, 'ok', complete({}));
  const { activities } = scriptedActivities();
  const answer = await activities.announcePromotion(inputs.promote);
  const opened = await activities.openExperiment(inputs.experiment);
  await record(
    env,
    type,
    'retried',
    complete({
      openExperiment: failingFirst(2, new Error('connection refused'), opened),
      announcePromotion: failingFirst(2, new Error('connection refused'), answer),
    }),
  );
  await record(env, type, 'cancelled', (id) => {
    const cancelMe = async (): Promise<never> => {
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat(), 100);
      await env.client.workflow.getHandle(id).cancel();
      return context.cancelled.finally(() => clearInterval(beat));
    };
    return complete({ [longest[type]]: cancelMe })(id);
  });
  await record(env, type, 'crash-resumed', async (id) => {
    await crashWorker(env, longest[type]);
    await complete({})(id);
  });
}

async function crashWorker(env: TestWorkflowEnvironment, stuckIn: string): Promise<void> {
  const args = ['--import', 'tsx', doomed, env.address, stuckIn];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

await mkdir(folder, { recursive: true });
const env = await startTemporal();
try {
  for (const type of Object.keys(inputs) as Type[]) await recordType(env, type);
} finally {
  await env.teardown();
}
