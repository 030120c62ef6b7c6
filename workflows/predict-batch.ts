import { CancellationScope, continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { BatchPredictionResult } from '../activities/contracts-batch-prediction.ts';
import { endOf } from './all-or-throw.ts';
import type { PredictBatchInput } from './messages.ts';
import { compute, record } from './stubs.ts';

/** Parts under way at once: their workers' cores are shared with experiments, and each holds the bars of an instrument. */
const PARTS_AT_ONCE = 4;

/**
 * Predictions of more instants than a request should hold, part by part. Killed anywhere, it goes on with the parts that are
 * there; a long one goes on in a new run, which needs to know no more than the part to begin with.
 */
export async function predictBatch({
  batchPredictionId,
  next = 0,
}: PredictBatchInput): Promise<BatchPredictionResult> {
  let open: number | undefined;
  try {
    const { parts } = await record.planBatchPrediction({ batchPredictionId });
    open = await answerParts(batchPredictionId, next, parts);
    if (open === undefined) return await compute.finishBatchPrediction({ batchPredictionId });
  } catch (error) {
    await CancellationScope.nonCancellable(() =>
      record.failBatchPrediction({ batchPredictionId, ...endOf(error) }),
    );
    throw error;
  }
  return continueAsNew<typeof predictBatch>({ batchPredictionId, next: open });
}

/** The part to go on with in a new run where the history has become long, else undefined. The first failure ends it. */
async function answerParts(
  batchPredictionId: string,
  first: number,
  parts: number,
): Promise<number | undefined> {
  let next = first;
  let failure: { readonly error: unknown } | undefined;
  const mayGoOn = (): boolean =>
    next < parts && !failure && (next === first || !workflowInfo().continueAsNewSuggested);
  const lane = async (): Promise<void> => {
    while (mayGoOn()) {
      const part = next++;
      try {
        await compute.answerPart({ batchPredictionId, part });
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARTS_AT_ONCE, parts - first) }, lane));
  if (failure) throw failure.error;
  return next < parts ? next : undefined;
}
