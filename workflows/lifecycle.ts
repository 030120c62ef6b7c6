import {
  ActivityFailure,
  ApplicationFailure,
  ParentClosePolicy,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineSignal,
  defineUpdate,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import {
  SIGNALS,
  UPDATES,
  type Asked,
  type AskedOfTrial,
  type AtMarketTime,
  type ChallengerSignal,
  type DriftSignal,
  type FreezeRequest,
  type JudgementRequest,
  type LifecycleInput,
  type PromoteRequest,
  type RetrainReason,
} from './lifecycle-messages.ts';
import { workflowIds } from './messages.ts';
import { promote } from './promote.ts';
import { retrain } from './retrain.ts';
import { isRunningAlready } from './running-already.ts';
import { record } from './stubs.ts';
import { trial } from './trial.ts';

const tickSignal = defineSignal<[AtMarketTime]>(SIGNALS.tick);
const driftSignal = defineSignal<[DriftSignal]>(SIGNALS.drift);
const challengerSignal = defineSignal<[ChallengerSignal]>(SIGNALS.challenger);
const promoteUpdate = defineUpdate<{ promotionId: string }, [PromoteRequest]>(UPDATES.promote);
const rollbackUpdate = defineUpdate<{ promotionId: string }, [PromoteRequest]>(UPDATES.rollback);
const approveUpdate = defineUpdate<JudgedTrial, [AskedOfTrial]>(UPDATES.approve);
const rejectUpdate = defineUpdate<JudgedTrial, [AskedOfTrial]>(UPDATES.reject);
const freezeUpdate = defineUpdate<{ changed: boolean }, [FreezeRequest]>(UPDATES.freeze);
const unfreezeUpdate = defineUpdate<{ changed: boolean }, [FreezeRequest]>(UPDATES.unfreeze);

interface JudgedTrial {
  readonly trialId: string;
  readonly version: number;
}

/** What waits for the next look. All else is rows. */
interface Pending {
  asOf: string | null;
  reasons: RetrainReason[];
  reportId: string | null;
  challenger: ChallengerSignal | null;
}

/**
 * The life of a model: drift and cadence become retrains, challengers become trials, people's wishes become
 * promotions; one retrain and one trial at a time, the next coalesced. It holds no fact that PostgreSQL holds: each
 * look reads rows and writes them on a condition, so that it may be lost and started again at any moment.
 */
export async function lifecycle(input: LifecycleInput): Promise<void> {
  const { model } = input;
  const pending: Pending = {
    asOf: input.carried?.asOf ?? null,
    reasons: [...(input.carried?.reasons ?? [])],
    reportId: input.carried?.reportId ?? null,
    challenger: input.carried?.challenger ?? null,
  };
  let news = input.carried?.news ?? false;
  listen(model, pending, () => {
    news = true;
  });
  for (;;) {
    await condition(() => news || workflowInfo().continueAsNewSuggested);
    // Before any look: however busy it is, its history stays short. What it has not looked at goes along.
    if (workflowInfo().continueAsNewSuggested) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof lifecycle>({ model, carried: { ...pending, news } });
    }
    news = false;
    await surviving(() => lookAtChallenger(model, pending));
    await surviving(() => lookAtRetrain(model, pending));
  }
}

/** A look that fails for good ends nothing: what waits goes on waiting, and the next tick looks again. */
async function surviving(look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    log.warn('a look of the lifecycle failed; the next tick looks again', { error });
  }
}

function listen(model: string, pending: Pending, onNews: () => void): void {
  const reached = (asOf: string): void => {
    if (pending.asOf === null || asOf > pending.asOf) pending.asOf = asOf;
    onNews();
  };
  setHandler(tickSignal, ({ asOf }) => reached(asOf));
  setHandler(driftSignal, ({ asOf, reasons, reportId }) => {
    pending.reasons = [...new Set([...pending.reasons, ...reasons])];
    pending.reportId = reportId;
    reached(asOf);
  });
  setHandler(challengerSignal, (challenger) => {
    // The newest one knows the most; an older one that still waits was never begun.
    pending.challenger = challenger;
    onNews();
  });
  setHandler(promoteUpdate, (request) => startPromotion(model, request), { validator: checkAsked });
  setHandler(rollbackUpdate, (request) => startPromotion(model, request), {
    validator: checkAsked,
  });
  const judge = async (decision: JudgementRequest['decision'], asked: AskedOfTrial) => {
    const judged = await record.recordJudgement({ model, decision, ...asked });
    await wakeTrial(model, judged.trialId, pending.asOf);
    return judged;
  };
  setHandler(approveUpdate, (asked) => judge('approve', asked), { validator: checkAsked });
  setHandler(rejectUpdate, (asked) => judge('reject', asked), { validator: checkAsked });
  const freeze = async (frozen: boolean, asked: FreezeRequest) => {
    const result = await record.setFrozen({ model, frozen, ...asked });
    onNews();
    return result;
  };
  setHandler(freezeUpdate, (asked) => freeze(true, asked), { validator: checkAsked });
  setHandler(unfreezeUpdate, (asked) => freeze(false, asked), { validator: checkAsked });
}

/** Who asks and why goes on record: nothing is accepted without. */
function checkAsked({ actor, reason }: Asked): void {
  if (actor === '' || reason.trim() === '') {
    throw ApplicationFailure.nonRetryable('say who asks, and why', 'lifecycle.asked');
  }
}

/** Answers when the promotion has begun; its row tells what becomes of it. */
async function startPromotion(
  model: string,
  { promotionId, version, expectedGeneration, kind, actor, reason }: PromoteRequest,
): Promise<{ promotionId: string }> {
  try {
    await startChild(promote, {
      workflowId: workflowIds.promote(model),
      args: [{ promotionId, model, version, actor, reason, expectedGeneration, kind }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  } catch (error) {
    if (!isRunningAlready(error)) throw error;
    throw ApplicationFailure.nonRetryable(
      `a promotion of ${model} is under way`,
      'promotion.conflict',
    );
  }
  return { promotionId };
}

async function lookAtChallenger(model: string, pending: Pending): Promise<void> {
  const { challenger } = pending;
  if (!challenger) return;
  const opened = await record.openTrial({ model, ...challenger });
  // Busy: it waits for the end of the trial that runs, which comes as a tick.
  if (opened.status === 'busy') return;
  if (pending.challenger === challenger) pending.challenger = null;
  if (opened.status === 'running') await startTrial(model, opened.trialId, pending.asOf);
}

const startTrial = (model: string, trialId: string, asOf: string | null): Promise<void> =>
  orRunning(() =>
    startChild(trial, {
      workflowId: workflowIds.trial(model),
      args: [{ model, trialId, asOf }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    }),
  );

/** The judgement is in the rows: a trial whose workflow was lost is started, and looks at once. */
async function wakeTrial(model: string, trialId: string, asOf: string | null): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowIds.trial(model)).signal(SIGNALS.judgement);
  } catch (error) {
    if (isCancellation(error)) throw error;
    await startTrial(model, trialId, asOf);
  }
}

async function lookAtRetrain(model: string, pending: Pending): Promise<void> {
  const { asOf, reportId } = pending;
  if (asOf === null) return;
  const reasons = [...pending.reasons];
  const look = await record.considerRetrain({ model, asOf, reasons, reportId });
  // Reasons that came meanwhile stay for the next look.
  if (look.action === 'retrain' || !look.keep) {
    pending.reasons = pending.reasons.filter((reason) => !reasons.includes(reason));
  }
  const begun = look.action === 'retrain' ? { ...look, asOf } : look.running;
  if (!begun) return;
  const { retrainId, experimentId } = begun;
  await orRunning(() =>
    startChild(retrain, {
      workflowId: workflowIds.retrain(model),
      args: [{ model, retrainId, experimentId, asOf: begun.asOf }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    }),
  );
}

/**
 * A child that runs already is the one that was meant, or the one before it in its last step: then the next tick
 * finds the row without a workflow, and starts it.
 */
async function orRunning(start: () => Promise<unknown>): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (!isRunningAlready(error)) throw error;
  }
}
