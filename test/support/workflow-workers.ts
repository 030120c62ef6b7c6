import { Worker, type NativeConnection } from '@temporalio/worker';
import type { Activities } from '../../activities/index.ts';
import { TASK_QUEUES } from '../../workflows/messages.ts';
import { workflowBundle } from './temporal.ts';

/** Runs a worker on each queue for as long as `run` takes. */
export async function withWorkers<T>(
  connection: NativeConnection,
  activities: Activities,
  run: () => Promise<T>,
): Promise<T> {
  const bundle = await workflowBundle();
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue: TASK_QUEUES.orchestration, workflowBundle: bundle }),
    Worker.create({ connection, taskQueue: TASK_QUEUES.general, activities }),
    Worker.create({ connection, taskQueue: TASK_QUEUES.training, activities }),
  ]);
  const nested = workers.reduce<() => Promise<T>>(
    (inner, worker) => () => worker.runUntil(inner),
    run,
  );
  return nested();
}
