import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  getExternalWorkflowHandle,
  isCancellation,
  log,
} from '@temporalio/workflow';
import type { PlannedFold } from '../activities/contracts-backtest.ts';
import { experimentEnd, type ExperimentEnd } from './experiment-end.ts';
import { workflowIds } from './messages.ts';
import { record } from './stubs.ts';

/** So often a training that others cancelled is begun anew. */
const OPENED_MAX = 3;

export interface TrainedFold extends ExperimentEnd {
  readonly experimentId: string;
}

/**
 * Trains the model of a fold, or waits for whoever trains the same. One that was cancelled by others gets a successor. A
 * cancel of the caller stops the training only where no other backtest waits for it.
 */
export async function foldTraining(backtestId: string, fold: PlannedFold): Promise<TrainedFold> {
  for (let opened = 0; opened < OPENED_MAX; opened++) {
    throwIfCancelled();
    // A cancel in the middle of it would leave an experiment whose id is not known here.
    const { experimentId } = await CancellationScope.nonCancellable(() =>
      record.openFold({ backtestId, fold }),
    );
    const ending = await endOf(backtestId, experimentId);
    if (ending.status !== 'cancelled') return { experimentId, ...ending };
  }
  const message = `the training of fold ${fold.fold} was cancelled ${OPENED_MAX} times`;
  throw ApplicationFailure.nonRetryable(message, 'backtest.fold');
}

async function endOf(backtestId: string, experimentId: string): Promise<ExperimentEnd> {
  const scope = CancellationScope.current();
  let ending: Promise<ExperimentEnd> | undefined;
  try {
    throwIfCancelled();
    // A cancelled child would be gone for all who wait for it.
    ending = CancellationScope.nonCancellable(() => experimentEnd(experimentId));
    return await Promise.race([ending, scope.cancelRequested]);
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(() => leave(backtestId, experimentId, ending));
    throw error;
  }
}

/** Waits for the end of what it stops: the training slot is free then. */
async function leave(
  backtestId: string,
  experimentId: string,
  ending: Promise<ExperimentEnd> | undefined,
): Promise<void> {
  const { unwanted } = await record.leaveFold({ backtestId, experimentId });
  if (!unwanted || ending === undefined) return;
  try {
    await getExternalWorkflowHandle(workflowIds.experiment(experimentId)).cancel();
  } catch (error) {
    log.info('an experiment that was to be cancelled had not begun', { experimentId, error });
  }
  await ending;
}

function throwIfCancelled(): void {
  if (!CancellationScope.current().consideredCancelled) return;
  throw new CancelledFailure('the backtest was cancelled');
}
