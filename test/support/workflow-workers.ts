import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Activities } from '../../activities/index.ts';
import { TASK_QUEUES } from '../../workflows/messages.ts';
import { workflowBundle } from './temporal.ts';

/** Runs a worker on each queue for as long as `run` takes. */
export async function withWorkers<T>(
  connection: NativeConnection,
  activities: Activities,
  run: () => Promise<T>,
): Promise<T> {
  const workers = [
    await orchestrationWorker(connection),
    ...(await activityWorkers(connection, activities)),
  ];
  const nested = workers.reduce<() => Promise<T>>(
    (inner, worker) => () => worker.runUntil(inner),
    run,
  );
  return nested();
}

/** Workflow tasks only; of today's workflows unless `more` has another bundle. */
export async function orchestrationWorker(
  connection: NativeConnection,
  more: Partial<WorkerOptions> = {},
): Promise<Worker> {
  const bundle = more.workflowBundle ?? (await workflowBundle());
  return Worker.create({
    connection,
    taskQueue: TASK_QUEUES.orchestration,
    workflowBundle: bundle,
    ...more,
  });
}

/** Activities on the queues that workflows call them by. */
export function activityWorkers(
  connection: NativeConnection,
  activities: Activities,
): Promise<Worker[]> {
  return Promise.all([
    Worker.create({ connection, taskQueue: TASK_QUEUES.general, activities }),
    Worker.create({ connection, taskQueue: TASK_QUEUES.training, activities }),
  ]);
}

/** Lets workers run until the function that comes back is called, which waits for their end. */
export function running(workers: readonly Worker[]): () => Promise<void> {
  const runs = workers.map((worker) => worker.run());
  return async () => {
    for (const worker of workers) worker.shutdown();
    await Promise.all(runs);
  };
}
