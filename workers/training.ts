import type { WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import { TASK_QUEUES } from '../workflows/messages.ts';

/** Fits only; each slot is one training process on one core. */
export function trainingOptions(deps: ActivityDeps, slots: number): WorkerOptions {
  return {
    taskQueue: TASK_QUEUES.training,
    activities: createActivities(deps),
    maxConcurrentActivityTaskExecutions: slots,
  };
}
