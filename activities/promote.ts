import { Context } from '@temporalio/activity';
import { replicaReadiness } from '../registry/promotion-answers.ts';
import {
  announcePromotion,
  promotionById,
  switchChampion,
  withdrawPromotion,
} from '../registry/promotions.ts';
import { runningTrial } from '../registry/trials.ts';
import type {
  AwaitReplicasResult,
  IntentInput,
  IntentResult,
  PromotionRef,
  SwitchResult,
} from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { signalTrial } from './lifecycle-signal.ts';

/** Loading, verifying and probing a package takes a replica a second or two; 30 s is a slow store. */
const REPLICAS_TIMEOUT_MS = 30_000;
/** Replicas look for intents once a second (sooner by NOTIFY). */
const POLL_MS = 250;

/** The steps of the workflow `promote`. Each may run twice: the rows decide, not the call. */
export function createPromoteActivities(deps: Pick<ActivityDeps, 'db'>) {
  return {
    announcePromotion: (input: IntentInput): Promise<IntentResult> =>
      announcePromotion(deps.db, input),

    /** Waits until every replica with a live lease can serve the version, one cannot, or 30 s passed. */
    async awaitReplicas(input: PromotionRef): Promise<AwaitReplicasResult> {
      const context = Context.current();
      const deadline = performance.now() + REPLICAS_TIMEOUT_MS;
      for (;;) {
        context.heartbeat();
        const readiness = await replicaReadiness(deps.db, input.promotionId);
        if (readiness.status === 'ready') return { status: 'ready' };
        if (readiness.status === 'failed') return readiness;
        if (performance.now() > deadline) {
          const seconds = REPLICAS_TIMEOUT_MS / 1000;
          const reason = `no answer within ${seconds} s from ${readiness.missing.join(', ')}`;
          return { status: 'failed', reason };
        }
        await context.sleep(POLL_MS);
      }
    },

    async switchChampion(input: PromotionRef): Promise<SwitchResult> {
      const result = await switchChampion(deps.db, input.promotionId);
      if (result.status !== 'promoted') return result;
      await tellTrial(deps, input.promotionId);
      return { ...result, watched: true };
    },

    async withdrawPromotion(input: PromotionRef & { readonly reason: string }): Promise<void> {
      await withdrawPromotion(deps.db, input);
    },
  };
}

/** A trial stands on the champion that it began with: it ends now, not with the next settlement. */
async function tellTrial({ db }: Pick<ActivityDeps, 'db'>, promotionId: string): Promise<void> {
  const promotion = await promotionById(db, promotionId);
  const trial = promotion && (await runningTrial(db, promotion.model));
  if (trial) await signalTrial(trial.model, trial.id, trial.last_as_of.toISOString());
}
