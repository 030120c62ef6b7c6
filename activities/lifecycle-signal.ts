import { Context } from '@temporalio/activity';
import { LIFECYCLE, SIGNALS } from '../workflows/lifecycle-messages.ts';
import { TASK_QUEUES, workflowIds } from '../workflows/messages.ts';

/** Signals the lifecycle of a model, which is started where it is missing. */
export async function signalLifecycle(
  model: string,
  signal: (typeof SIGNALS)['tick' | 'drift' | 'challenger'],
  payload: object,
): Promise<void> {
  await Context.current().client.workflow.signalWithStart(LIFECYCLE, {
    workflowId: workflowIds.lifecycle(model),
    taskQueue: TASK_QUEUES.orchestration,
    args: [{ model }],
    signal,
    signalArgs: [payload],
  });
}

/** Has a running trial look; it is started where its workflow is missing. */
export async function signalTrial(model: string, trialId: string, asOf: string): Promise<void> {
  await Context.current().client.workflow.signalWithStart('trial', {
    workflowId: workflowIds.trial(model),
    taskQueue: TASK_QUEUES.orchestration,
    args: [{ model, trialId, asOf }],
    signal: SIGNALS.tick,
    signalArgs: [{ asOf }],
  });
}
