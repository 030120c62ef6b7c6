import {
  ParentClosePolicy,
  condition,
  continueAsNew,
  defineSignal,
  executeChild,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { JudgeTrialResult } from '../activities/contracts-lifecycle.ts';
import {
  SIGNALS,
  type AtMarketTime,
  type TrialInput,
  type TrialOutcome,
} from './lifecycle-messages.ts';
import { workflowIds, type PromoteOutcome } from './messages.ts';
import { promote } from './promote.ts';
import { isRunningAlready } from './running-already.ts';
import { record } from './stubs.ts';

const tickSignal = defineSignal<[AtMarketTime]>(SIGNALS.tick);
const judgementSignal = defineSignal(SIGNALS.judgement);

/**
 * A challenger on trial. It looks at its rows with each tick of market time, and holds nothing that they do not: lost
 * and started again, it goes on where it was. Only the wait for a person is a timer of wall time.
 */
export async function trial(input: TrialInput): Promise<TrialOutcome> {
  const { model, trialId } = input;
  let asOf = input.asOf;
  // A restarted trial looks at once: a judgement may have come while nobody listened.
  let news = true;
  setHandler(tickSignal, (tick) => {
    if (asOf === null || tick.asOf > asOf) asOf = tick.asOf;
    news = true;
  });
  setHandler(judgementSignal, () => {
    news = true;
  });
  const standing = await record.trialStanding({ model, trialId });
  if (standing.status !== 'running') return { status: 'superseded', reasons: standing.reasons };
  asOf ??= standing.asOf;
  let late = false;
  if (standing.approveWithinMs !== null) {
    const reached = (): void => void (late = true);
    // A cancel is heard by the loop.
    sleep(Math.max(1, standing.approveWithinMs)).then(reached, () => undefined);
  }
  for (;;) {
    await condition(() => news || late);
    const at = asOf ?? standing.asOf;
    news = false;
    // Also when it is late: a judgement of the last moment stands in the rows before it is heard of.
    const tooLate = late;
    const look = await record.judgeTrial({ model, trialId, asOf: at });
    if (look.decision !== 'continue') return end(input, at, look);
    if (tooLate) return end(input, at, lateApproval());
    // The next run begins with a look, so that no news is lost.
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof trial>({ ...input, asOf });
    }
  }
}

type Ended = Exclude<JudgeTrialResult, { decision: 'continue' }>;

const lateApproval = (): Ended => ({
  decision: 'undecided',
  reasons: ['nobody approved it in time, so the champion stays'],
});

const STATUS = {
  reject: 'rejected',
  undecided: 'undecided',
  abort: 'aborted',
  superseded: 'superseded',
} as const;

async function end(
  { model, trialId }: TrialInput,
  asOf: string,
  look: Ended,
): Promise<TrialOutcome> {
  const outcome =
    look.decision === 'accept'
      ? await promoteAccepted(model, look)
      : { status: STATUS[look.decision], reasons: look.reasons };
  await record.closeTrial({ model, trialId, asOf, ...outcome, actor: 'policy' });
  await record.dispatchAlerts({ model });
  // A challenger or a retrain may have waited for this end.
  await record.announceTick({ model, asOf });
  return outcome;
}

async function promoteAccepted(
  model: string,
  look: Extract<Ended, { decision: 'accept' }>,
): Promise<TrialOutcome> {
  const { promotionId, version, expectedGeneration, reasons } = look;
  const promotion = await promoteChild(model, {
    ...{ promotionId, model, version, expectedGeneration },
    actor: 'policy',
    reason: reasons.join('; '),
  });
  if (promotion.status === 'promoted') return { status: 'promoted', reasons };
  const why = `accepted, but not promoted: ${promotion.reason}`;
  return {
    status: promotion.status === 'conflict' ? 'superseded' : 'rejected',
    reasons: [...reasons, why],
  };
}

async function promoteChild(
  model: string,
  input: Parameters<typeof promote>[0],
): Promise<PromoteOutcome> {
  try {
    return await executeChild(promote, {
      workflowId: workflowIds.promote(model),
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  } catch (error) {
    if (isRunningAlready(error)) {
      return { status: 'conflict', reason: 'another promotion was under way' };
    }
    throw error;
  }
}
