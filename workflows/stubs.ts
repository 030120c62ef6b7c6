/**
 * The activities as workflows call them: queue, time-outs and retries in one place, each with its reason.
 * Time-outs bound one attempt; transient failures retry with backoff, permanent ones (mapped once in
 * activities/failures.ts) fail at once.
 */
import { proxyActivities, type RetryPolicy } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { TASK_QUEUES } from './messages.ts';

/** Servers come back: wait up to half a minute between attempts, without giving up on a count. */
const patient: RetryPolicy = {
  initialInterval: '500ms',
  backoffCoefficient: 2,
  maximumInterval: '30s',
};

/** Rows and bookkeeping: short statements. A day covers any outage an operator would still mend. */
export const record = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.general,
  startToCloseTimeout: '1m',
  scheduleToCloseTimeout: '24h',
  retry: patient,
});

/** Several sources at 30 s each, with their fallbacks; vendors' hiccups pass within a few attempts. */
export const collection = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.general,
  startToCloseTimeout: '10m',
  heartbeatTimeout: '1m',
  retry: { ...patient, maximumAttempts: 5 },
});

/** Features, evaluation, packaging: minutes of one core at most; heartbeats notice a dead worker. */
export const compute = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.general,
  startToCloseTimeout: '30m',
  heartbeatTimeout: '1m',
  retry: { ...patient, maximumAttempts: 10 },
});

/**
 * Fits: half a day for the longest honest run. A killed worker is noticed after 8 s; the next attempt
 * goes on from the newest checkpoint, so attempts are cheap and many are allowed.
 */
export const training = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.training,
  startToCloseTimeout: '12h',
  heartbeatTimeout: '8s',
  // The cancelled attempt reports back once its process is gone, so that a cancel frees the core.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: {
    initialInterval: '500ms',
    backoffCoefficient: 2,
    maximumInterval: '1m',
    maximumAttempts: 50,
  },
});

/**
 * Questions to endpoints of the operator's: thousands of them take hours. Each answer is kept, so attempts are cheap; an
 * endpoint that is away for longer than these attempts fails the backtest rather than be replaced for all of it.
 */
export const asking = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.general,
  startToCloseTimeout: '12h',
  // A cancel comes with the answer to a heartbeat, and each question meanwhile may cost something.
  heartbeatTimeout: '15s',
  retry: { ...patient, maximumInterval: '5m', maximumAttempts: 20 },
});

/** Answers through years of sessions: hours, heartbeats notice a dead worker, and each instrument that is whole is kept. */
export const answering = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.general,
  startToCloseTimeout: '12h',
  heartbeatTimeout: '1m',
  retry: { ...patient, maximumAttempts: 20 },
});

/** Waits for what others do: as long as the longest training, and noticed lost within half a minute. */
export const waiting = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.general,
  startToCloseTimeout: '24h',
  heartbeatTimeout: '30s',
  retry: patient,
});

/** A receiver of alerts may be down for a day; after that the alert is no news. */
export const alerts = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.general,
  startToCloseTimeout: '1m',
  scheduleToCloseTimeout: '24h',
  retry: { ...patient, maximumInterval: '10m' },
});

/** Replicas load, verify and probe a package within 30 s; heartbeats every poll. */
export const replicas = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.general,
  startToCloseTimeout: '1m',
  heartbeatTimeout: '10s',
  retry: { ...patient, maximumAttempts: 5 },
});
