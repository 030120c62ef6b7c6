import type { WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import type { ActivityDeps } from '../activities/deps.ts';
import { TASK_QUEUES } from '../workflows/messages.ts';

/**
 * The SDK would send a heartbeat every 80 % of the time-out, so that one call that takes long makes a living fit look
 * dead; so often, three may be lost.
 */
const HEARTBEAT_AT_MOST_EVERY = '2s';

/** Fits only; each slot is one training process on one core. */
export function trainingOptions(deps: ActivityDeps, slots: number): WorkerOptions {
  return {
    taskQueue: TASK_QUEUES.training,
    activities: createActivities(deps),
    maxConcurrentActivityTaskExecutions: slots,
    maxHeartbeatThrottleInterval: HEARTBEAT_AT_MOST_EVERY,
  };
}
