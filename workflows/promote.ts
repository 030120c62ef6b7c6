import { CancellationScope } from '@temporalio/workflow';
import type { PromoteInput, PromoteOutcome } from './messages.ts';
import { record, replicas } from './stubs.ts';

/**
 * Makes a version the champion: intent, proof by every live replica, one switching transaction.
 * Before the switch a failure withdraws the intent and nothing has to be undone; from the switch on it
 * only goes forward. The workflow id `promote/<model>` keeps it to one at a time.
 */
export async function promote(input: PromoteInput): Promise<PromoteOutcome> {
  // A cancel must not leave an intent behind that nobody knows of: it is heard right after.
  const intent = await CancellationScope.nonCancellable(() => record.announcePromotion(input));
  if (intent.status === 'conflict') return intent;
  const { promotionId } = input;
  try {
    const answer = await replicas.awaitReplicas({ promotionId });
    if (answer.status === 'failed') return await withdraw(promotionId, answer.reason);
  } catch (error) {
    await CancellationScope.nonCancellable(() => withdraw(promotionId, describe(error)));
    throw error;
  }
  // A cancel that arrives now is too late: the outcome of the switch must be known.
  return CancellationScope.nonCancellable(async () => {
    const outcome = await record.switchChampion({ promotionId });
    // Former releases put no alert on record, and their histories end here.
    if (outcome.status === 'promoted' && outcome.watched === true) await watch(input.model);
    return outcome;
  });
}

/** The model is served now: it is settled and watched from here on, and whoever asked for it hears of the switch. */
async function watch(model: string): Promise<void> {
  await Promise.all([record.ensureWatch({ model }), record.dispatchAlerts({ model })]);
}

async function withdraw(promotionId: string, reason: string): Promise<PromoteOutcome> {
  await record.withdrawPromotion({ promotionId, reason });
  return { status: 'withdrawn', reason };
}

const describe = (error: unknown): string =>
  error instanceof Error
    ? error.cause instanceof Error
      ? error.cause.message
      : error.message
    : String(error);
