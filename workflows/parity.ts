import {
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  patched,
} from '@temporalio/workflow';
import type { ParityResult } from '../activities/contracts-parity.ts';
import { reasonOf } from './all-or-throw.ts';
import type { ParityInput } from './messages.ts';
import { slotOf } from './slot.ts';
import { compute, record } from './stubs.ts';

/** Calls of some minutes each: nobody serves in a week what they could not replay. */
const CALLS_MAX = 200;

/** Served predictions computed again; fails where any comes out otherwise, after the alert is on its way. */
export async function parity(input: ParityInput): Promise<ParityResult> {
  const { model } = input;
  const { reportId } = await record.openParity({ ...input, asOf: slotOf(input) });
  let result: ParityResult | undefined;
  try {
    for (let call = 0; call < CALLS_MAX && result?.done !== true; call++) {
      result = await compute.replayPredictions({ reportId });
    }
    if (result?.done !== true) {
      throw ApplicationFailure.nonRetryable('there is more to replay than one report takes');
    }
  } catch (error) {
    await fail(model, reportId, error);
    throw error;
  }
  if (result.different === 0) return result;
  await record.dispatchAlerts({ model });
  const { different, replayed } = result;
  const words = `${different} of ${replayed} served predictions of ${model} come out otherwise`;
  throw ApplicationFailure.nonRetryable(words, 'parity.different', result);
}

/** Says why, in the report and to who is told of a model. */
function fail(model: string, reportId: string, error: unknown): Promise<void> {
  const cancelled = isCancellation(error);
  return CancellationScope.nonCancellable(async () => {
    await record.failParity({ reportId, reason: reasonOf(error), cancelled });
    // Runs of the release before this one ended here.
    if (!cancelled && patched('parity-failure-is-told')) await record.dispatchAlerts({ model });
  });
}
