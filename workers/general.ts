import type { WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import { TASK_QUEUES } from '../workflows/messages.ts';

/** Steps that wait for servers, and short ones that compute: a few side by side. */
const GENERAL_SLOTS = 8;

/** Collection, validation, features, evaluation, packaging, registry and promotion. */
export function generalOptions(deps: ActivityDeps): WorkerOptions {
  return {
    taskQueue: TASK_QUEUES.general,
    activities: createActivities(deps),
    maxConcurrentActivityTaskExecutions: GENERAL_SLOTS,
  };
}
