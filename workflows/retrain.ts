import {
  CancellationScope,
  CancelledFailure,
  ParentClosePolicy,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  rootCause,
} from '@temporalio/workflow';
import { experiment } from './experiment.ts';
import type { RetrainInput } from './lifecycle-messages.ts';
import { workflowIds } from './messages.ts';
import { isRunningAlready } from './running-already.ts';
import { record, waiting } from './stubs.ts';

interface Ending {
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly outcome: string;
}

/** One retrain: an ordinary experiment of the model's template, and its end on record whatever it was. */
export async function retrain(input: RetrainInput): Promise<void> {
  const { model, retrainId, experimentId, asOf } = input;
  const ending = await run(experimentId);
  await CancellationScope.nonCancellable(async () => {
    await record.finishRetrain({ model, retrainId, ...ending });
    if (ending.status !== 'completed') await record.dispatchAlerts({ model });
    await record.announceTick({ model, asOf });
  });
  // An experiment that was cancelled by itself is an end like others.
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure(ending.outcome);
}

async function run(experimentId: string): Promise<Ending> {
  try {
    const { versions } = await executeChild(experiment, {
      workflowId: workflowIds.experiment(experimentId),
      args: [{ experimentId }],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      // It is an experiment like any other: it ends as one, and can be cancelled as one.
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
    const words = versions.map(({ version, verdict }) => `version ${version}: ${verdict}`);
    return { status: 'completed', outcome: words.join(' ') };
  } catch (error) {
    // A sweeper found the row queued and was faster: its rows tell how it ends.
    if (isRunningAlready(error)) return runOfAnother(experimentId);
    return endingOf(error);
  }
}

async function runOfAnother(experimentId: string): Promise<Ending> {
  try {
    const { status, message } = await waiting.awaitExperiment({ experimentId });
    const outcome = message ?? `the experiment ended ${status}`;
    return { status: status === 'skipped' ? 'completed' : status, outcome };
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => cancelExperiment(experimentId));
    }
    return endingOf(error);
  }
}

/** As the cancel of a child would: the training slot becomes free. One that ended needs none. */
async function cancelExperiment(experimentId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowIds.experiment(experimentId)).cancel();
  } catch (error) {
    log.info('the experiment of a cancelled retrain had ended', { experimentId, error });
  }
}

const endingOf = (error: unknown): Ending => ({
  status: isCancellation(error) ? 'cancelled' : 'failed',
  outcome: rootCause(error) ?? String(error),
});
