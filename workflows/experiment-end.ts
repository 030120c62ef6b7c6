import {
  CancellationScope,
  ParentClosePolicy,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  log,
} from '@temporalio/workflow';
import { reasonOf } from './all-or-throw.ts';
import { experiment } from './experiment.ts';
import { workflowIds } from './messages.ts';
import { isRunningAlready } from './running-already.ts';
import { waiting } from './stubs.ts';

export interface ExperimentEnd {
  readonly status: 'completed' | 'failed' | 'cancelled' | 'skipped';
  readonly message: string;
}

/**
 * Runs a recorded experiment to its end, or waits for the end of one that runs (or ran) already. A failed one is an end like
 * others; a cancel of the caller cancels the experiment and is thrown.
 */
export async function experimentEnd(experimentId: string): Promise<ExperimentEnd> {
  try {
    const { status, versions } = await executeChild(experiment, {
      workflowId: workflowIds.experiment(experimentId),
      args: [{ experimentId }],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      // It is an experiment like any other: it ends as one, and can be cancelled as one.
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
    const words = versions.map(({ model, version, verdict }) => `${model} ${version}: ${verdict}`);
    return { status, message: words.join(' ') };
  } catch (error) {
    if (isRunningAlready(error)) return endOfAnother(experimentId);
    if (CancellationScope.current().consideredCancelled) throw error;
    return { status: isCancellation(error) ? 'cancelled' : 'failed', message: reasonOf(error) };
  }
}

async function endOfAnother(experimentId: string): Promise<ExperimentEnd> {
  try {
    const { status, message } = await waiting.awaitExperiment({ experimentId });
    return { status, message: message ?? `the experiment ended ${status}` };
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => cancel(experimentId));
    }
    throw error;
  }
}

/** As the cancel of a child would: the training slot becomes free. One that ended needs none. */
async function cancel(experimentId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowIds.experiment(experimentId)).cancel();
  } catch (error) {
    log.info('an experiment that was to be cancelled had ended', { experimentId, error });
  }
}
