import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { EvaluateVersionResult } from '../activities/contracts-evaluation.ts';
import { reasonOf } from './all-or-throw.ts';
import type { EvaluationRunInput } from './messages.ts';
import { collection, compute, record } from './stubs.ts';

/** A version judged again: newest bars, then its figures on rows that came after all it knows. Decides nothing. */
export async function evaluation({
  evaluationId,
}: EvaluationRunInput): Promise<EvaluateVersionResult> {
  try {
    await record.openEvaluation({ evaluationId });
    const { missing } = await collection.topUpEvaluated({ evaluationId });
    return await compute.evaluateVersion({ evaluationId, missing });
  } catch (error) {
    const status = isCancellation(error) ? 'cancelled' : 'failed';
    await CancellationScope.nonCancellable(() =>
      record.failEvaluation({ evaluationId, status, reason: reasonOf(error) }),
    );
    throw error;
  }
}
