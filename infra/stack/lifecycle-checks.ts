/**
 * Does everything run that the rows ask for, and nothing else? A served model has a lifecycle and its
 * schedules, a running trial and retrain their workflows; a retired model has nothing. Temporal may have lost
 * its store, or a process may have died between a row and a workflow: each trouble has its repair.
 */
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';
import {
  endLostRetrain,
  endLostTrial,
  lifecycleFacts,
  type LifecycleFacts,
} from '../../registry/reconcile-lifecycles.ts';
import { LIFECYCLE, SIGNALS } from '../../workflows/lifecycle-messages.ts';
import { TASK_QUEUES, workflowIds } from '../../workflows/messages.ts';
import {
  trouble,
  type LifecycleParts,
  type LifecycleTrouble,
  type Repair,
} from './lifecycle-trouble.ts';
import { wrongSchedules } from './schedule-checks.ts';

/** What began within this time may still be on its way between its row and its workflow. */
const SETTLING_MS = 60_000;
/** Workflows that live as long as a model, or as its trial or retrain. */
const TYPES = ['lifecycle', 'trial', 'retrain'] as const;

/** All that does not fit, in the order in which it should be mended. */
export async function findLifecycleTroubles(
  parts: LifecycleParts,
): Promise<readonly LifecycleTrouble[]> {
  const facts = await lifecycleFacts(parts.db, parts.settlingMs ?? SETTLING_MS);
  return [
    ...(await strays(parts, facts)),
    ...(await missingLifecycles(parts, facts)),
    ...(await lostTrials(parts, facts)),
    ...(await lostRetrains(parts, facts)),
    ...(await wrongSchedules(parts, facts)),
  ];
}

/** Mends everything, then says what is left. */
export async function repairLifecycles(parts: LifecycleParts): Promise<{
  readonly done: readonly string[];
  readonly left: readonly LifecycleTrouble[];
}> {
  const done: string[] = [];
  for (const { repair } of await findLifecycleTroubles(parts)) {
    if (repair) done.push(await repair());
  }
  return { done: [...new Set(done)], left: await findLifecycleTroubles(parts) };
}

/** Does a workflow of this id run now? Lists of workflows lag behind: this does not. */
async function isRunning({ client }: LifecycleParts, workflowId: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** Workflows of models that are not registered, or are retired. */
async function strays(
  parts: LifecycleParts,
  { models }: LifecycleFacts,
): Promise<LifecycleTrouble[]> {
  const { client } = parts;
  const types = TYPES.map((type) => `'${type}'`).join(', ');
  const query = `WorkflowType IN (${types}) AND ExecutionStatus = 'Running'`;
  const found: LifecycleTrouble[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) {
    const model = workflowId.slice(workflowId.indexOf('/') + 1);
    if (models.has(model) || !(await isRunning(parts, workflowId))) continue;
    found.push(
      trouble(`${workflowId} runs, but there is no model ${model}`, async () => {
        await client.workflow
          .getHandle(workflowId)
          .terminate('there is no such model (doctor)')
          .catch((error: unknown) => {
            if (!(error instanceof WorkflowNotFoundError)) throw error;
          });
        return `ended ${workflowId}`;
      }),
    );
  }
  return found;
}

async function missingLifecycles(
  parts: LifecycleParts,
  { served }: LifecycleFacts,
): Promise<LifecycleTrouble[]> {
  const found: LifecycleTrouble[] = [];
  for (const { model, settledAsOf, fresh } of served) {
    if (fresh || (await isRunning(parts, workflowIds.lifecycle(model)))) continue;
    found.push(
      trouble(`${model} is served, but its lifecycle does not run`, async () => {
        await startLifecycle(parts.client, model, settledAsOf);
        return `started the lifecycle of ${model}`;
      }),
    );
  }
  return found;
}

/** With a tick it looks at once how the rows stand. */
async function startLifecycle(client: Client, model: string, settledAsOf: Date | null) {
  const start = {
    workflowId: workflowIds.lifecycle(model),
    taskQueue: TASK_QUEUES.orchestration,
    args: [{ model }] as [object],
  };
  if (settledAsOf === null) {
    await client.workflow.start(LIFECYCLE, { ...start, workflowIdConflictPolicy: 'USE_EXISTING' });
    return;
  }
  const signalArgs = [{ asOf: settledAsOf.toISOString() }];
  await client.workflow.signalWithStart(LIFECYCLE, { ...start, signal: SIGNALS.tick, signalArgs });
}

/** A workflow that goes on from its row; one that runs meanwhile is the same. */
async function startChild(client: Client, type: 'trial' | 'retrain', model: string, input: object) {
  await client.workflow.start(type, {
    workflowId: workflowIds[type](model),
    taskQueue: TASK_QUEUES.orchestration,
    args: [{ model, ...input }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
}

async function lostTrials(
  parts: LifecycleParts,
  { trials, served }: LifecycleFacts,
): Promise<LifecycleTrouble[]> {
  const { db, client } = parts;
  const isServed = new Set(served.map(({ model }) => model));
  const found: LifecycleTrouble[] = [];
  for (const { id, model, version, lastAsOf } of trials) {
    const what = `the trial of version ${version} of ${model}`;
    if (!isServed.has(model)) {
      const why = 'no champion serves the model';
      found.push(
        trouble(`${what} runs in the rows, but ${why}`, async () => {
          await endLostTrial(db, id, why);
          return `ended ${what}`;
        }),
      );
    } else if (!(await isRunning(parts, workflowIds.trial(model)))) {
      found.push(
        trouble(`${what} runs in the rows, but its workflow does not`, async () => {
          await startChild(client, 'trial', model, { trialId: id, asOf: lastAsOf.toISOString() });
          return `started ${what} where it was`;
        }),
      );
    }
  }
  return found;
}

async function lostRetrains(
  parts: LifecycleParts,
  { retrains, models }: LifecycleFacts,
): Promise<LifecycleTrouble[]> {
  const { db, client } = parts;
  const found: LifecycleTrouble[] = [];
  for (const row of retrains) {
    const { id: retrainId, model, experimentId, asOf } = row;
    const what = `the retrain of ${model} (experiment ${experimentId})`;
    const end =
      (why: string): Repair =>
      async () => {
        await endLostRetrain(db, row, why);
        return `ended ${what}`;
      };
    if (!models.has(model)) {
      found.push(trouble(`${what} runs in the rows, but the model is retired`, end('retired')));
    } else if (row.ended !== null) {
      const how = row.ended === 'lost' ? 'is not on record' : `ended ${row.ended}`;
      const detail = `${what} runs in the rows, but its experiment ${how}`;
      found.push(trouble(detail, end('found by doctor')));
    } else if (!(await isRunning(parts, workflowIds.retrain(model)))) {
      found.push(
        trouble(`${what} runs in the rows, but its workflow does not`, async () => {
          const input = { retrainId, experimentId, asOf: asOf.toISOString() };
          await startChild(client, 'retrain', model, input);
          return `started ${what} where it was`;
        }),
      );
    }
  }
  return found;
}
