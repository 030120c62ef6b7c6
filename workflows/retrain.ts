import {
  CancellationScope,
  ParentClosePolicy,
  executeChild,
  isCancellation,
  rootCause,
} from '@temporalio/workflow';
import { experiment } from './experiment.ts';
import type { RetrainInput } from './lifecycle-messages.ts';
import { workflowIds, type ExperimentOutcome } from './messages.ts';
import { record, waiting } from './stubs.ts';

/** One retrain: an ordinary experiment of the model's template, and its end on record whatever it was. */
export async function retrain(input: RetrainInput): Promise<void> {
  const { model, retrainId, experimentId, asOf } = input;
  const finish = async (
    status: 'completed' | 'failed' | 'cancelled',
    outcome: string,
  ): Promise<void> => {
    await record.finishRetrain({ model, retrainId, status, outcome });
    if (status !== 'completed') await record.dispatchAlerts({ model });
    await record.announceTick({ model, asOf });
  };
  try {
    const outcome = await run(experimentId);
    await finish('completed', wordsOf(outcome));
  } catch (error) {
    const status = isCancellation(error) ? 'cancelled' : 'failed';
    const reason = rootCause(error) ?? String(error);
    await CancellationScope.nonCancellable(() => finish(status, reason));
    if (status === 'cancelled') throw error;
  }
}

async function run(experimentId: string): Promise<ExperimentOutcome | undefined> {
  try {
    return await executeChild(experiment, {
      workflowId: workflowIds.experiment(experimentId),
      args: [{ experimentId }],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      // It is an experiment like any other: it ends as one, and can be cancelled as one.
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  } catch (error) {
    if (!(error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError'))
      throw error;
    // A sweeper found the row queued and was faster: its rows tell how it ends.
    await waiting.awaitExperiment({ experimentId });
    return undefined;
  }
}

function wordsOf(outcome: ExperimentOutcome | undefined): string {
  if (outcome === undefined) return 'the experiment ended';
  return outcome.versions.map(({ version, verdict }) => `version ${version}: ${verdict}`).join(' ');
}
