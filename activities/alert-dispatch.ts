import { Context } from '@temporalio/activity';
import { getAlertOrThrow } from '../registry/alerts.ts';
import { alertsToSend } from '../registry/alerts-to-send.ts';
import type { ModelRef } from '../workflows/lifecycle-messages.ts';
import { TASK_QUEUES, workflowIds } from '../workflows/messages.ts';
import type { ActivityDeps } from './deps.ts';

/** Sends what was put on record: an alert is written with the change it tells of, and leaves from here. */
export function createAlertDispatchActivities(deps: Pick<ActivityDeps, 'db' | 'webhooks'>) {
  return {
    dispatchAlerts: ({ model }: ModelRef): Promise<void> => dispatchAlerts(deps, model),
  };
}

/** Starts a delivery of each alert of the model that nobody has begun to send. */
export async function dispatchAlerts(
  { db, webhooks }: Pick<ActivityDeps, 'db' | 'webhooks'>,
  model: string,
): Promise<void> {
  for (const alertId of await alertsToSend(db, model)) {
    if (webhooks.wanting(await getAlertOrThrow(db, alertId)).length === 0) continue;
    try {
      await Context.current().client.workflow.start('alert', {
        workflowId: workflowIds.alert(alertId),
        taskQueue: TASK_QUEUES.orchestration,
        args: [{ alertId }],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      });
    } catch (error) {
      if (!isStartedAlready(error)) throw error;
    }
  }
}

/** By name: the class lives in the client's package, which only the API loads. */
const isStartedAlready = (error: unknown): boolean =>
  error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError';
